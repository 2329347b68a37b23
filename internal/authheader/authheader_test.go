package authheader_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

func TestParse(t *testing.T) {
	for name, test := range map[string]struct {
		fields        []string
		scheme, value string
		err           error
	}{
		"R9110-15: no field":                                      {nil, "", "", nil},
		"R9110-15: two fields":                                    {[]string{"Bearer a", "Bearer a"}, "", "", authheader.ErrRepeated},
		"R9110-15: two fields, both empty":                        {[]string{"", ""}, "", "", authheader.ErrRepeated},
		"R9110-15: joined by a comma":                             {[]string{"Bearer a, Basic b"}, "", "", authheader.ErrJoined},
		"R9110-15: joined by a comma alone":                       {[]string{"Bearer a,Basic b"}, "", "", authheader.ErrJoined},
		"R9110-15: joined with empty members between":             {[]string{"Bearer a,, ,Basic b"}, "", "", authheader.ErrJoined},
		"R9110-15: joined behind a quoted comma":                  {[]string{`Digest a="x, \" y", Basic b`}, "", "", authheader.ErrJoined},
		"R9110-15: the parameters of one scheme are one":          {[]string{`Digest a="x", b=y`}, "Digest", `a="x", b=y`, nil},
		"R9110-15: parameters with spaces around = are one":       {[]string{`Digest a = x, b = y`}, "Digest", `a = x, b = y`, nil},
		"R9110-15: a quoted pair of credentials is one":           {[]string{`Digest a="x, Basic b"`}, "Digest", `a="x, Basic b"`, nil},
		"R9110-6: one space":                                      {[]string{"Bearer abc"}, "Bearer", "abc", nil},
		"R9110-6: several spaces":                                 {[]string{"Bearer   abc"}, "Bearer", "abc", nil},
		"R9110-6: spaces around the field":                        {[]string{" \tBearer abc \t"}, "Bearer", "abc", nil},
		"R9110-6: a tab stays in the value":                       {[]string{"Bearer\tabc"}, "Bearer", "\tabc", nil},
		"R9110-6: a tab behind the space stays in the value":      {[]string{"Bearer \tabc"}, "Bearer", "\tabc", nil},
		"R9110-6: what follows the value stays in it":             {[]string{"Bearer abc def"}, "Bearer", "abc def", nil},
		"R6750-14: a scheme without a value":                      {[]string{"Bearer"}, "Bearer", "", nil},
		"R6750-14: a scheme and a space":                          {[]string{"Bearer "}, "Bearer", "", nil},
		"R6750-6: a value without a scheme is taken for one":      {[]string{"abc.def"}, "abc.def", "", nil},
		"R6750-6: an empty field is not a credential of a scheme": {[]string{""}, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := authheader.Parse(test.fields)
			if !errors.Is(err, test.err) || got.Scheme != test.scheme || got.Value != test.value {
				t.Errorf("got %q %q, %v", got.Scheme, got.Value, err)
			}
		})
	}
	t.Run("R9110-5: schemes are compared without case, and as a whole", func(t *testing.T) {
		for scheme, want := range map[string]bool{"bearer": true, "BEARER": true, "bEaReR": true, "BearerX": false, "Beare": false, "": false, "Bearer:": false} {
			if got := (authheader.Authorization{Scheme: scheme}).Is("Bearer"); got != want {
				t.Errorf("%q: %t", scheme, got)
			}
		}
	})
}

func TestIsToken68(t *testing.T) {
	t.Run("R6750-1: every character of token68 is one", func(t *testing.T) {
		for _, s := range []string{"a", "AZaz09-._~+/", "abc=", "abc=="} {
			if !authheader.IsToken68(s) {
				t.Errorf("%q is refused", s)
			}
		}
	})
	t.Run("R6750-14: nothing else is", func(t *testing.T) {
		for _, s := range []string{"", "=", "==", "a=b", "a b", "a,b", "a\tb", `"a"`, "é", "a\x00", "a:b", "a%20b"} {
			if authheader.IsToken68(s) {
				t.Errorf("%q is accepted", s)
			}
		}
	})
}

// FuzzParse looks for values on which the parser breaks, and for
// tokens that are not what stood in the field.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", " ", "Bearer", "Bearer ", "Bearer abc", "bEaReR   abc==", "Bearer\tabc", "Basic YTpi", "Bearer a, Basic b",
		`Digest a="x, \" y", Basic b`, `Digest a="`, "Bearer a,,b c", ",", ", Bearer a", "Bearer a,Bearer", "\x00", "Bearer \xff",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, field string) {
		parsed, err := authheader.Parse([]string{field})
		if err != nil {
			if !strings.Contains(field, ",") || parsed != (authheader.Authorization{}) {
				t.Fatalf("%q: %v with %+v", field, err, parsed)
			}
			return
		}
		if strings.ContainsAny(parsed.Scheme, " \t") {
			t.Fatalf("%q: the scheme is %q", field, parsed.Scheme)
		}
		if strings.HasPrefix(parsed.Value, " ") || strings.HasSuffix(parsed.Value, " ") {
			t.Fatalf("%q: the value is %q", field, parsed.Value)
		}
		if !parsed.Is("Bearer") || !authheader.IsToken68(parsed.Value) {
			return
		}
		// One scheme, spaces, one token, and nothing else stood there.
		rest, scheme := strings.CutPrefix(strings.Trim(field, " \t"), parsed.Scheme)
		spaces, token := strings.CutSuffix(rest, parsed.Value)
		if !scheme || !token || spaces == "" || strings.Trim(spaces, " ") != "" {
			t.Fatalf("%q came apart as %q and %q", field, parsed.Scheme, parsed.Value)
		}
		again, err := authheader.Parse([]string{parsed.Scheme + " " + parsed.Value})
		if err != nil || again != parsed {
			t.Fatalf("%q: %+v put together again is %+v, %v", field, parsed, again, err)
		}
	})
}

// TestCostOfField doubles the field Authorization.
func TestCostOfField(t *testing.T) {
	for _, unit := range []string{",", " ,", ",a", `,"`, "a=,", ";", `="`, ", ", ",a ", ",a=", "\\", `"\`, ", \t", "a,=", "a =,", "é,", ", a ="} {
		t.Run("COST-1: reading Authorization takes twice as long for twice as many "+unit, func(t *testing.T) {
			cost := func(bytes int) int64 {
				field := "x " + strings.Repeat(unit, bytes/len(unit))
				return steps.Of(func() { _, _ = authheader.Parse([]string{field}) })
			}
			if once, twice := cost(4000), cost(8000); twice > 2*once+16 {
				t.Errorf("%d steps, and %d for twice as much", once, twice)
			}
		})
	}
	t.Run("COST-1: of a field over the bound nothing is read", func(t *testing.T) {
		field := "x " + strings.Repeat(",", 17<<10)
		if cost := steps.Of(func() { _, _ = authheader.Parse([]string{field}) }); cost != 0 {
			t.Errorf("%d steps", cost)
		}
	})
}

func TestCheckParameter(t *testing.T) {
	for _, realm := range []string{"", "off", "api", "My API (v2), staging", `a "quoted" realm`, `back\slash`, "a=b", "error", "~", " "} {
		t.Run("R9110-9: it may be "+realm, func(t *testing.T) {
			if err := authheader.CheckParameter("realm", realm); err != nil {
				t.Error(err)
			}
		})
	}
	for name, realm := range map[string]string{
		"R9110-9: an accent": "caf\u00e9", "R9110-9: a line break": "a\nb", "R9110-9: a carriage return": "a\rb",
		"R9110-9: NUL": "a\x00", "R9110-9: DEL": "a\x7f", "R9110-9: a tab": "a\tb", "R9110-9: no UTF-8": "\xff",
		"CLI-2: scope": `x" scope="y`, "CLI-2: error": "error=x", "CLI-2: metadata": "see resource_metadata=https://evil.example",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if authheader.CheckParameter("realm", realm) == nil {
				t.Errorf("%q was accepted", realm)
			}
		})
	}
}

func TestIsScopeToken(t *testing.T) {
	t.Run("R6750-10: every byte as RFC 6749 §3.3 says", func(t *testing.T) {
		for b := range 256 {
			want := b == 0x21 || 0x23 <= b && b <= 0x5b || 0x5d <= b && b <= 0x7e
			for _, text := range []string{string([]byte{byte(b)}), string([]byte{'a', byte(b), 'c'})} {
				if got := authheader.IsScopeToken(text); got != want {
					t.Errorf("%q: %t", text, got)
				}
			}
		}
		if authheader.IsScopeToken("") {
			t.Error("the empty text is a scope")
		}
	})
}
