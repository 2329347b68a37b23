package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// bill has one part for each pair of a module and a license.
func bill(pairs ...string) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		licenses := ""
		if pairs[i+1] != "" {
			licenses = fmt.Sprintf(`{"license":{"id":%q}}`, pairs[i+1])
		}
		parts = append(parts, fmt.Sprintf(`{"name":%q,"evidence":{"licenses":[%s]}}`, pairs[i], licenses))
	}
	return `{"bomFormat":"CycloneDX","components":[` + strings.Join(parts, ",") + `]}`
}

func TestLicenses(t *testing.T) {
	for name, test := range map[string]struct{ bill, out, says string }{
		"allowed ones are counted":                  {bill("a", "MIT", "b", "Apache-2.0", "c", "MIT"), "   2 MIT\n   1 Apache-2.0\n", ""},
		"one that is not allowed":                   {bill("a", "MIT", "b", "AGPL-3.0-only"), "", "b: AGPL-3.0-only is not allowed"},
		"a part without one":                        {bill("a", ""), "", "a: no license was found"},
		"an exception":                              {bill("github.com/go-sql-driver/mysql", "MPL-2.0"), "   1 MPL-2.0\n", ""},
		"an exception for another module":           {bill("a", "MPL-2.0"), "", "a: MPL-2.0 is not allowed"},
		"what the detection mistakes":               {bill("golang.org/x/net", "BSD-Source-Code"), "   1 BSD-3-Clause\n", ""},
		"what the detection mistakes, elsewhere":    {bill("golang.org/y/net", "BSD-Source-Code"), "", "BSD-Source-Code"},
		"a correction is for one mistake only":      {bill("golang.org/x/net", "GPL-3.0-only"), "", "GPL-3.0-only"},
		"a bill without parts proves nothing":       {`{"components":[]}`, "", "no parts"},
		"what is no bill proves nothing":            {``, "", "bill of materials"},
		"every part is named that may not be there": {bill("a", "", "b", "SSPL-1.0"), "", "a: no license was found\nb: SSPL-1.0 is not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(strings.NewReader(test.bill), &out)
			if out.String() != test.out || (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %q, %v", out.String(), err)
			}
		})
	}
}

var (
	required = regexp.MustCompile(`(?s)require \((.*?)\n\)`)
	listed   = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
)

// TestDependencies holds the list of docs/dependencies.md against go.mod.
func TestDependencies(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.Lines(required.FindStringSubmatch(string(mod))[1]) {
		if module, _, _ := strings.Cut(strings.TrimSpace(line), " "); module != "" {
			want = append(want, module)
		}
	}
	for _, match := range listed.FindAllStringSubmatch(string(page), -1) {
		got = append(got, match[1])
	}
	slices.Sort(got)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the page lists\n%q\ngo.mod requires\n%q", got, want)
	}
}
