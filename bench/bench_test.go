package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == serveCommand {
		serve(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

// TestRows shows that every row asks what it says, not how long that takes.
func TestRows(t *testing.T) {
	folder := t.TempDir()
	keys, err := newSigners(folder)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	o := options{pairs: 1, time: 10 * time.Millisecond, many: 20, fresh: 20}
	if err := measureServers(&table, o, folder, keys); err != nil {
		t.Fatal(err)
	}
	if lines, want := strings.Count(table.String(), "\n"), 2*len(rows(o, keys)); lines != want {
		t.Errorf("%d lines, want %d\n%s", lines, want, table.String())
	}
}

// TestFields shows that every field can be sent, in this process and over each
// version of HTTP.
func TestFields(t *testing.T) {
	folder := t.TempDir()
	keys, err := newSigners(folder)
	if err != nil {
		t.Fatal(err)
	}
	hidden, err := fieldsChain(keys, "all")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fields() {
		if f.cost(hidden, 100) <= 0 {
			t.Errorf("%s of %q takes no time", f.name, f.unit)
		}
	}
	var table strings.Builder
	if err := measureWire(&table, 20, folder, keys); err != nil {
		t.Fatal(err)
	}
	if lines, want := strings.Count(table.String(), "\n"), len(protocols)*len(wireFields()); lines != want || want < 15 {
		t.Errorf("%d lines, want %d\n%s", lines, want, table.String())
	}
}

// BenchmarkChain is a request through a route, with a gate and a warm token,
// and with a handler that does nothing in its place.
func BenchmarkChain(b *testing.B) {
	keys, err := newSigners(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	token := keys.token(jwa.RS256, 1)
	for name, handler := range map[string]object{"bare": passThrough, "gated": gateFor("corp")} {
		chain, err := newChain(one(keys, nil), handler)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) { chain.ask(b, token) })
	}
}
