package resource_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/excorp/caddy-require-auth/resource"
)

func TestAnswers(t *testing.T) {
	const (
		existing = resource.WellKnown + "/mcp"
		unknown  = resource.WellKnown + "/other"
	)
	handler := load(t, provision(t, `{}`), list("https://api.example.com/mcp"))
	etag := send(t, handler, "GET", existing, nil).Header.Get("Etag")
	if len(etag) < 10 || etag[0] != '"' {
		t.Fatalf("ETag %q is not strong", etag)
	}
	document := map[string]string{
		"Content-Type": "application/json", "Cache-Control": "public, max-age=3600", "Etag": etag,
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "", "Vary": "", "Www-Authenticate": "",
	}
	preflight := map[string]string{
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Max-Age": "86400",
		"Access-Control-Allow-Headers": "Accept, Content-Type, MCP-Protocol-Version", "Access-Control-Allow-Credentials": "",
		"Allow": "GET, HEAD, OPTIONS",
	}
	notAllowed := map[string]string{"Access-Control-Allow-Origin": "*", "Allow": "GET, HEAD, OPTIONS", "Etag": "", "Cache-Control": ""}
	fields := http.Header{
		"Origin": {"https://web.example"}, "Access-Control-Request-Method": {"GET"},
		"Access-Control-Request-Headers": {"mcp-protocol-version,x-secret"},
	}
	for name, test := range map[string]struct {
		method, target string
		request        http.Header
		status         int
		empty          bool
		want           map[string]string
	}{
		"R9728-2: GET":                         {"GET", existing, nil, 200, false, document},
		"R9728-2: HEAD":                        {"HEAD", existing, nil, 200, true, document},
		"R9728-2: no credential matters":       {"GET", existing, http.Header{"Authorization": {"Bearer bad"}}, 200, false, document},
		"CORS-10: GET from any origin":         {"GET", existing, http.Header{"Origin": {"null"}}, 200, false, document},
		"R9728-11: the same ETag":              {"GET", existing, http.Header{"If-None-Match": {etag}}, 304, true, map[string]string{"Etag": etag, "Cache-Control": "public, max-age=3600", "Access-Control-Allow-Origin": "*"}},
		"R9728-11: the same ETag, weak":        {"HEAD", existing, http.Header{"If-None-Match": {`"x", W/` + etag}}, 304, true, nil},
		"R9728-11: another ETag":               {"GET", existing, http.Header{"If-None-Match": {`"x"`}}, 200, false, document},
		"R9728-2: POST":                        {"POST", existing, nil, 405, true, notAllowed},
		"R9728-2: DELETE at the root":          {"DELETE", resource.WellKnown, nil, 405, true, notAllowed},
		"R9728-2: get is not GET":              {"get", existing, nil, 405, true, notAllowed},
		"R9728-5: POST where nothing is":       {"POST", unknown, nil, 404, true, map[string]string{"Allow": ""}},
		"CORS-10: a script may read the 404":   {"GET", unknown, http.Header{"Origin": {"https://web.example"}}, 404, true, map[string]string{"Access-Control-Allow-Origin": "*"}},
		"CORS-10: preflight":                   {"OPTIONS", existing, fields, 204, true, preflight},
		"CORS-10: preflight where nothing is":  {"OPTIONS", unknown, fields, 204, true, preflight},
		"CORS-10: OPTIONS without a preflight": {"OPTIONS", existing, nil, 204, true, preflight},
		"OPTIONS elsewhere goes on":            {"OPTIONS", "/mcp", fields, wentOn, true, map[string]string{"Access-Control-Allow-Origin": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			response := send(t, handler, test.method, test.target, test.request)
			content, _ := io.ReadAll(response.Body)
			if response.StatusCode != test.status || (len(content) == 0) != test.empty {
				t.Errorf("got %d, %q", response.StatusCode, content)
			}
			for name, want := range test.want {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
	t.Run("R9728-11: the ETag is that of the document", func(t *testing.T) {
		named := load(t, provision(t, `{}`), `[{"resource": "https://api.example.com/mcp", "name": "x"}]`)
		if other := send(t, named, "GET", existing, nil).Header.Get("Etag"); other == etag {
			t.Errorf("two documents with %s", other)
		}
		again := load(t, provision(t, `{}`), list("https://api.example.com/mcp", "https://api.example.com/other"))
		if same := send(t, again, "GET", existing, nil).Header.Get("Etag"); same != etag {
			t.Errorf("one document with %s and %s", same, etag)
		}
	})
}
