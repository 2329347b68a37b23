package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// allowed are the licenses, by their SPDX names, that can be distributed together with
// Apache-2.0.
var allowed = []string{"Apache-2.0", "MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0"}

// corrections replace wrong results of the license detection. Each was checked against
// the file LICENSE.
var corrections = []struct{ module, detected, license string }{
	{"golang.org/x/", "BSD-Source-Code", "BSD-3-Clause"},
	{"github.com/alecthomas/chroma/v2", "OFL-1.1-no-RFN", "MIT"}, // a font of its playground is under the OFL
}

// exceptions are single modules with a license that is not allowed in general.
var exceptions = map[string]string{
	// Copyleft by file: changes of its own files would have to be published. It comes
	// with Caddy, and its files are unchanged.
	"github.com/go-sql-driver/mysql": "MPL-2.0",
}

// part is a module of the bill with its detected licenses.
type part struct {
	name     string
	licenses []string
}

// count is the number of parts with a license.
type count struct {
	license string
	parts   int
}

// read reads the parts of a bill.
func read(in io.Reader) ([]part, error) {
	var bill struct {
		Components []struct {
			Name     string
			Evidence struct {
				Licenses []struct {
					License struct{ ID, Name string }
				}
			}
		}
	}
	if err := json.NewDecoder(in).Decode(&bill); err != nil {
		return nil, fmt.Errorf("reading the bill of materials: %w", err)
	}
	if len(bill.Components) == 0 {
		return nil, errors.New("the bill of materials has no parts")
	}
	parts := make([]part, 0, len(bill.Components))
	for _, component := range bill.Components {
		p := part{name: component.Name}
		for _, found := range component.Evidence.Licenses {
			p.licenses = append(p.licenses, corrected(p.name, cmp.Or(found.License.ID, found.License.Name)))
		}
		parts = append(parts, p)
	}
	return parts, nil
}

func corrected(module, detected string) string {
	for _, c := range corrections {
		if strings.HasPrefix(module, c.module) && detected == c.detected {
			return c.license
		}
	}
	return detected
}

// check counts the licenses, the most frequent first. The error names every part
// without an allowed license.
func check(parts []part) ([]count, error) {
	var problems []error
	found := map[string]int{}
	for _, p := range parts {
		if len(p.licenses) == 0 {
			problems = append(problems, fmt.Errorf("%s: no license was found", p.name))
		}
		for _, license := range p.licenses {
			if !slices.Contains(allowed, license) && exceptions[p.name] != license {
				problems = append(problems, fmt.Errorf("%s: %s is not allowed", p.name, license))
			}
			found[license]++
		}
	}
	counts := make([]count, 0, len(found))
	for license, parts := range found {
		counts = append(counts, count{license, parts})
	}
	slices.SortFunc(counts, func(a, b count) int {
		return cmp.Or(b.parts-a.parts, strings.Compare(a.license, b.license))
	})
	return counts, errors.Join(problems...)
}
