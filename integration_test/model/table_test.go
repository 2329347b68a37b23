package model

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// The dimensions of the table, in the order of its columns.
var dimensions = []struct {
	name  string
	words []string
}{
	{"request", []string{"call", "script", "preflight", "options", "early"}},
	{"credential", []string{"none", "foreign", "oversized", "twice", "unreadable", "wrong", "expired", "revoked", "unproven", "replayed", "stolen", "throttled", "unavailable", "good"}},
	{"scheme", []string{
		"bearer", "basic", "api_key", "dpop", "client_cert", "bearer of three", "basic of three", "api_key of three",
		"dpop of two", "client_cert of two", "bearer of two",
	}},
	{"required", []string{"nothing", "scope met", "scope", "any_scope", "role", "claim", "user", "if", "if broken", "acr", "max_age", "second gate", "tool met", "tool", "tool unclear", "operation met", "operation", "undeclared"}},
	{"option", []string{"plain", "optional", "hide", "hide all", "handle_errors"}},
}

// point is a combination of words, one of each dimension.
type point struct{ request, credential, scheme, required, option string }

func (p point) words() []string {
	return []string{p.request, p.credential, p.scheme, p.required, p.option}
}

func (p point) String() string { return strings.Join(p.words(), " | ") }

// points calls a function with every combination.
func points(call func(point)) {
	for _, request := range dimensions[0].words {
		for _, credential := range dimensions[1].words {
			for _, scheme := range dimensions[2].words {
				for _, required := range dimensions[3].words {
					for _, option := range dimensions[4].words {
						call(point{request, credential, scheme, required, option})
					}
				}
			}
		}
	}
}

// row is a line of the table: what it is about, and what the gate answers.
type row struct {
	cells                   [][]string
	status, code, challenge string
}

func (r row) fits(p point) bool {
	for i, word := range p.words() {
		if r.cells[i][0] != "*" && !slices.Contains(r.cells[i], word) {
			return false
		}
	}
	return true
}

// impossible is the status of combinations that there are not.
const impossible = "impossible"

type table []row

// find returns the first row that fits, or -1.
func (t table) find(p point) int {
	return slices.IndexFunc(t, func(r row) bool { return r.fits(p) })
}

// readTable reads the second table of docs/decisions.md.
func readTable(t testing.TB) table {
	t.Helper()
	page, err := os.ReadFile("../../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(page), "| request | credential |")
	if !found {
		t.Fatal("docs/decisions.md has no table")
	}
	var rows table
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != len(dimensions)+3 || strings.Contains(line, "---") {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		r := row{status: cells[5], code: cells[6], challenge: cells[7]}
		for _, cell := range cells[:len(dimensions)] {
			r.cells = append(r.cells, strings.Split(cell, ", "))
		}
		rows = append(rows, r)
	}
	return rows
}

// TestTable sees to it that the table speaks of everything, that each row is
// about something, and that all its words are known.
func TestTable(t *testing.T) {
	rows := readTable(t)
	for i, r := range rows {
		for j, cell := range r.cells {
			for _, word := range cell {
				if word != "*" && !slices.Contains(dimensions[j].words, word) {
					t.Errorf("row %d: there is no %s %q", i+1, dimensions[j].name, word)
				}
			}
		}
	}
	all, used := 0, make([]int, len(rows))
	points(func(p point) {
		all++
		if i := rows.find(p); i >= 0 {
			used[i]++
		} else {
			t.Errorf("no row fits %s", p)
		}
	})
	if all < 30_000 {
		t.Errorf("there are %d combinations only", all)
	}
	for i, count := range used {
		if count == 0 {
			t.Errorf("row %d is never the first that fits: %s", i+1, fmt.Sprint(rows[i]))
		}
	}
}
