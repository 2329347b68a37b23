// Package openapi tests the OpenAPI document of an upstream behind gates of a running
// Caddy, and gates that enforce a document.
package openapi

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const plain = `{"openapi":"3.1.0","info":{"title":"Things","version":"1"},"paths":{
	"/me":{"get":{"responses":{"200":{"description":"ok"}}}},
	"/things/{id}":{"get":{},"delete":{}},
	"/secret":{"get":{}},
	"/old/{id}":{"get":{}},
	"/public":{"get":{}}}}`

// upstream is a server that answers as a test wants it to, and what it was
// asked last.
type upstream struct {
	*httptest.Server
	answer http.HandlerFunc
	last   atomic.Pointer[http.Request]
}

func start(t *testing.T, answer http.HandlerFunc) (*upstream, *harness.Server) {
	t.Helper()
	u := &upstream{answer: answer}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u.last.Store(r.Clone(r.Context()))
		u.answer(w, r)
	}))
	t.Cleanup(u.Close)
	site, err := os.ReadFile("testdata/site.caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	return u, harness.Start(t, strings.ReplaceAll(string(site), "{upstream}", u.Listener.Addr().String()))
}

func document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"upstream"`)
	w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
	w.Header().Set("Repr-Digest", "sha-256=:AAAA:")
	w.Header().Set("X-Own", "kept")
	fmt.Fprint(w, plain)
}

// operation is a part of a document.
type operation struct {
	Security  []map[string][]string      `json:"security"`
	Responses map[string]json.RawMessage `json:"responses"`
}

type description struct {
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		SecuritySchemes map[string]json.RawMessage `json:"securitySchemes"`
		Schemas         map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
}

func read(t *testing.T, text string) (d description) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return d
}

func TestDocument(t *testing.T) {
	_, s := start(t, document)
	response := s.Get("/openapi.json")
	if response.Status != 200 || response.Header.Get("Content-Type") != "application/json" || response.Header.Get("X-Own") != "kept" {
		t.Fatalf("%d %v", response.Status, response.Header)
	}
	d := read(t, response.Body)
	for operation, want := range map[string]string{
		"get /me":             `[{"corp":[]},{"corp_openid":[]}]`,
		"get /things/{id}":    `[{"corp":[]},{"corp_openid":[]},{"partners":[]}]`,
		"delete /things/{id}": `[{"corp":["admin"]},{"corp_openid":["admin"]}]`,
		"get /secret":         `null`,
		"get /old/{id}":       `[{"ops":[]},{}]`,
		"get /public":         `null`,
	} {
		method, path, _ := strings.Cut(operation, " ")
		found := d.Paths[path][method]
		if got, _ := json.Marshal(found.Security); string(got) != want {
			t.Errorf("%s: security %s, want %s", operation, got, want)
		}
		if _, there := found.Responses["401"]; there != (want != "null") {
			t.Errorf("%s: 401 is described: %t", operation, there)
		}
	}
	if got := string(d.Paths["/things/{id}"]["delete"].Responses["403"]); !strings.Contains(got, "scope admin") {
		t.Errorf("403 is %s", got)
	}
	for name, want := range map[string]string{
		"corp":        `{"type":"http","scheme":"bearer","bearerFormat":"JWT"}`,
		"corp_openid": `{"type":"openIdConnect","openIdConnectUrl":"https://idp.example.com/.well-known/openid-configuration"}`,
		"partners":    `{"type":"apiKey","in":"header","name":"X-API-Key"}`,
		"ops":         `{"type":"http","scheme":"basic"}`,
	} {
		if got := string(d.Components.SecuritySchemes[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if strings.Contains(response.Body, "hidden") || d.Components.Schemas["AuthProblem"] == nil {
		t.Error("the hidden gate is named, or the schema of denials is missing")
	}
}

// TestTransfer has the fields that say something about the bytes.
func TestTransfer(t *testing.T) {
	upstream, s := start(t, document)
	whole := s.Get("/openapi.json")
	tag := whole.Header.Get("ETag")
	if tag == "" || tag == `"upstream"` || whole.Header.Get("Content-Length") != fmt.Sprint(len(whole.Body)) {
		t.Errorf("ETag %s, Content-Length %s of %d", tag, whole.Header.Get("Content-Length"), len(whole.Body))
	}
	if whole.Header.Get("Last-Modified")+whole.Header.Get("Repr-Digest") != "" {
		t.Errorf("what the upstream says of other bytes is left: %v", whole.Header)
	}
	if again := s.Get("/openapi.json", harness.Header("If-None-Match", tag)); again.Status != 304 || again.Body != "" {
		t.Errorf("known already: %d with %d bytes", again.Status, len(again.Body))
	}
	if other := s.Get("/openapi.json", harness.Header("If-None-Match", `"upstream"`)); other.Status != 200 {
		t.Errorf("what the upstream knows it as: %d", other.Status)
	}
	if part := s.Get("/openapi.json", harness.Header("Range", "bytes=0-9")); part.Status != 206 || part.Body != whole.Body[:10] {
		t.Errorf("a part: %d %q", part.Status, part.Body)
	}
	if header := upstream.last.Load().Header; header.Get("Range")+header.Get("If-None-Match") != "" {
		t.Errorf("the upstream is asked for a part, or for what is new: %v", header)
	}
	if head := s.Do(http.MethodHead, s.URL("/openapi.json")); head.Status != 200 || head.Body != "" || head.Header.Get("ETag") != tag {
		t.Errorf("HEAD: %d %v", head.Status, head.Header)
	}
	request := upstream.last.Load()
	if got := request.Header.Get("Accept-Encoding"); got != "identity" || request.Method != http.MethodGet {
		t.Errorf("the upstream is asked %s with Accept-Encoding %q", request.Method, got)
	}
	if zipped := s.Get("/zipped/openapi.json", harness.Header("Accept-Encoding", "gzip")); zipped.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("it is not compressed behind encode: %v", zipped.Header)
	} else if reader, err := gzip.NewReader(strings.NewReader(zipped.Body)); err != nil {
		t.Error(err)
	} else if text, err := io.ReadAll(reader); err != nil || !bytes.Contains(text, []byte(`"corp"`)) {
		t.Errorf("%v: %s", err, text)
	}
	if elsewhere := s.Get("/elsewhere.json"); elsewhere.Body != plain || elsewhere.Header.Get("ETag") != `"upstream"` {
		t.Errorf("another path is changed: %v %s", elsewhere.Header, elsewhere.Body)
	}
}

// TestWritten has documents that come in other ways than in one piece: flushed
// part by part, and read from a file.
func TestWritten(t *testing.T) {
	_, s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for part := range strings.SplitAfterSeq(plain, ",") {
			fmt.Fprint(w, part)
			w.(http.Flusher).Flush()
		}
	})
	for _, path := range []string{"/openapi.json", "/files/openapi.json"} {
		response := s.Get(path)
		if d := read(t, response.Body); len(d.Paths["/me"]["get"].Security) == 0 {
			t.Errorf("%s: %s", path, response.Body)
		}
		if got := response.Header.Get("Content-Length"); got != fmt.Sprint(len(response.Body)) {
			t.Errorf("%s: Content-Length %q of %d", path, got, len(response.Body))
		}
	}
}

// TestRemembered has documents and hosts that change: what is remembered of
// one is not said to another.
func TestRemembered(t *testing.T) {
	upstream, s := start(t, document)
	if got := s.Get("/openapi.json", harness.Host("other.localhost")).Body; strings.Contains(got, "corp") {
		t.Errorf("another site: %s", got)
	}
	if got := s.Get("/openapi.json").Body; !strings.Contains(got, "corp") {
		t.Errorf("behind the other site: %s", got)
	}
	upstream.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, strings.Replace(plain, "Things", "Renamed", 1))
	}
	if got := s.Get("/openapi.json").Body; !strings.Contains(got, "Renamed") {
		t.Errorf("when it has changed: %s", got)
	}
}

// TestLeftAlone has answers that are no documents, or none that can be trusted.
func TestLeftAlone(t *testing.T) {
	var answer http.HandlerFunc
	_, s := start(t, func(w http.ResponseWriter, r *http.Request) { answer(w, r) })
	large := `{"openapi":"3.1.0","x":"` + strings.Repeat("x", 70_000) + `","paths":{"/me":{"get":{}}}}`
	for name, c := range map[string]struct {
		status          int
		media, encoding string
		body            string
		chunked         bool
	}{
		"an error":             {status: 500, media: "application/json", body: plain},
		"a page":               {status: 200, media: "text/html", body: "<p>" + plain},
		"no media type":        {status: 200, media: "", body: plain},
		"compressed":           {status: 200, media: "application/json", encoding: "x-own", body: plain},
		"too large":            {status: 200, media: "application/json", body: large},
		"too large, in chunks": {status: 200, media: "application/json", body: large, chunked: true},
		"broken":               {status: 200, media: "application/json", body: plain[:100]},
		"repeated members":     {status: 200, media: "application/json", body: `{"openapi":"3.1.0","paths":{},"paths":{"/me":{"get":{}}}}`},
		"nested":               {status: 200, media: "application/json", body: strings.Repeat(`{"a":`, 5000)},
		"another list":         {status: 200, media: "application/json", body: `[1,2]`},
		"Swagger 2":            {status: 200, media: "application/json", body: `{"swagger":"2.0","paths":{"/me":{"get":{}}}}`},
		"empty":                {status: 200, media: "application/json", body: ``},
	} {
		t.Run(name, func(t *testing.T) {
			answer = func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{c.media}
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				w.WriteHeader(c.status)
				for part := range strings.SplitAfterSeq(c.body, "xxxxxxxxxx") {
					fmt.Fprint(w, part)
					if c.chunked {
						w.(http.Flusher).Flush()
					}
				}
			}
			got := s.Get("/openapi.json")
			if got.Status != c.status || got.Body != c.body {
				t.Errorf("%d with %d bytes, want %d with %d\n%.200s", got.Status, len(got.Body), c.status, len(c.body), got.Body)
			}
		})
	}
}

// TestGoesAway has an upstream that ends in the middle.
func TestGoesAway(t *testing.T) {
	_, s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "5000")
		fmt.Fprint(w, plain[:100])
		panic(http.ErrAbortHandler)
	})
	request, err := http.NewRequest(http.MethodGet, s.URL("/openapi.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return // the connection ended: nobody takes that for a document
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode == 200 {
		t.Errorf("half a document passes for a whole one: %s", body)
	}
}

// TestReload has gates that change: the next document says so.
func TestReload(t *testing.T) {
	upstream, s := start(t, document)
	if d := read(t, s.Get("/openapi.json").Body); d.Paths["/public"]["get"].Security != nil {
		t.Fatal("/public is described as guarded")
	}
	s.Reload(fmt.Sprintf("{\n admin off\n}\nhttp://localhost:8080 {\n auth_openapi\n require_auth /public {\n basic {\n user a $2a$14$Tm7v5zRBeCBN7nMbmYXmTOsMdnWQbNGrGNMUrtTzGVo9bMvXo9Pe2\n }\n }\n reverse_proxy %s\n}",
		upstream.Listener.Addr()))
	if d := read(t, s.Get("/openapi.json").Body); len(d.Paths["/public"]["get"].Security) != 1 || d.Paths["/me"]["get"].Security != nil {
		t.Errorf("after the reload: %+v", d.Paths)
	}
}
