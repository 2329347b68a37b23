package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/bench/serve"
)

func TestMain(m *testing.M) {
	if serve.Run() {
		return
	}
	os.Exit(m.Run())
}

var quick = options{pairs: 1, launches: 1, time: 10 * time.Millisecond, many: 20, fresh: 20}

// TestRows shows that every row asks what it says, not how long that takes.
func TestRows(t *testing.T) {
	folder := t.TempDir()
	keys, err := newSigners(folder)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	var all []row
	err = measureServers(&table, quick, "", folder, keys, func(s setting) ([]row, error) {
		all, err = rows(s)
		global, _ := configuration(keys)
		for _, r := range all {
			r.check(t, "", folder, global)
		}
		return all, err
	})
	if err != nil {
		t.Fatal(err)
	}
	if lines, want := strings.Count(table.String(), "\n"), 3+len(all); lines != want || want < 20 {
		t.Errorf("%d lines, want %d\n%s", lines, want, table.String())
	}
}

// check sends the requests of a row without their credentials, and those that the gate
// denies for another reason.
func (r row) check(t *testing.T, program, folder, global string) {
	t.Helper()
	if r.bare == r.gated {
		return
	}
	p, stop, err := r.start(program, folder, global)
	defer stop()
	if err != nil {
		t.Fatal(r.name, err)
	}
	requests := r.requests
	if r.fresh != nil {
		requests = r.fresh(0)
	}
	answers := map[int][][]byte{401: {withoutCredential(requests[0])}, r.status: {requests[0]}}
	for status, more := range r.denies {
		answers[status] = append(answers[status], more...)
	}
	for want, requests := range answers {
		for _, request := range requests {
			if got, err := p.clients[1].all[0].send(slices.Clone(request)); err != nil || got != want {
				t.Errorf("%s: %d instead of %d, %v", r.name, got, want, err)
			}
		}
	}
}

// withoutCredential removes the fields with credentials.
func withoutCredential(request []byte) []byte {
	return slices.Concat(slices.DeleteFunc(bytes.SplitAfter(request, []byte("\n")), func(line []byte) bool {
		return bytes.HasPrefix(line, []byte("Authorization:")) || bytes.HasPrefix(line, []byte("X-API-Key:"))
	})...)
}

// TestParts shows that every part is measured and allowed.
func TestParts(t *testing.T) {
	folder := t.TempDir()
	keys, err := newSigners(folder)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, measure := range []func(*strings.Builder) error{
		func(b *strings.Builder) error { return measureHandler(b, quick, "handler", keys) },
		func(b *strings.Builder) error { return measureNew(b, quick, "new", keys) },
		func(b *strings.Builder) error { return measureScale(b, quick, "scale", keys) },
	} {
		if err := measure(&table); err != nil {
			t.Error(err)
		}
	}
	if lines := strings.Count(table.String(), "\n"); lines != 8 {
		t.Errorf("%d lines\n%s", lines, table.String())
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
	if err := measureWire(&table, 40, folder, keys); err != nil {
		t.Fatal(err)
	}
	if lines, want := strings.Count(table.String(), "\n"), 2+len(wireFields()); lines != want || want < 8 {
		t.Errorf("%d lines, want %d\n%s", lines, want, table.String())
	}
}

// TestListFiltered shows that the upstream's list is filtered, and without the line is
// not.
func TestListFiltered(t *testing.T) {
	folder := t.TempDir()
	keys, err := newSigners(folder)
	if err != nil {
		t.Fatal(err)
	}
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(tools(upstreamLists[r.URL.Path])))
	}))
	defer upstream.Close()
	all, err := rows(setting{quick, keys, folder, "", strings.TrimPrefix(upstream.URL, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	global, err := configuration(keys)
	if err != nil {
		t.Fatal(err)
	}
	lists := 0
	for _, r := range all {
		if !strings.Contains(r.name, "list filtered") {
			continue
		}
		lists++
		p, stop, err := r.start("", folder, global)
		defer stop()
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []int{500, 450} {
			answer := exchange(t, p.servers[i].address("site"), r.requests[0])
			if got := strings.Count(answer, `"inputSchema"`); got != want {
				t.Errorf("%s: %d tools, want %d", r.name, got, want)
			}
		}
	}
	if lists != len(upstreamLists) {
		t.Errorf("%d rows", lists)
	}
}

// exchange sends a request and returns the body of the answer.
func exchange(t *testing.T, address string, text []byte) string {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := connection.Write(text); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
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
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			w := httptest.NewRecorder()
			for b.Loop() {
				if err := chain.serve(w, token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
