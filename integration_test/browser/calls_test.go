//go:build browser

package browser

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const apiKey = "key-of-a-browser"

// startApplication runs an API on :8080, and on :8081 the application that calls it.
// The API trusts the origin http://localhost, and not http://127.0.0.1.
func startApplication(t *testing.T) *harness.Server {
	t.Helper()
	digest := sha256.Sum256([]byte(apiKey))
	return harness.Start(t, `{
	auth {
		bearer corp {`+harness.BearerLines+`}
		bearer away {
			audience `+harness.Audience+`
			jwks http://127.0.0.1:9/jwks
		}
		api_key partners {
			from header X-API-Key
			from cookie key
			key partner-a sha256:`+hex.EncodeToString(digest[:])+`
		}
	}
}
http://localhost:8080 {
	auth_cors http://localhost:8081 {
		credentials
	}
	require_auth /me corp
	require_auth /admin corp {
		scope admin
	}
	require_auth /away away
	require_auth /key partners
	respond "{method} by {http.auth.user.id}"
}
http://localhost:8081, http://127.0.0.1:8081 {
	respond /session "`+harness.Token(t)+`"
	root testdata
	file_server
}
`)
}

// call is what the page's script is to do.
type call struct {
	Method  string         `json:"method"`
	URL     string         `json:"url"`
	Options map[string]any `json:"options"`
}

// have makes calls from a page and returns what its script could read.
func have(t *testing.T, page string, cookies []map[string]any, calls ...call) []response {
	t.Helper()
	var results []response
	order := map[string]any{"page": page, "calls": calls, "cookies": cookies}
	drive(t, "calls.mjs", order, &results)
	if len(results) != len(calls) {
		t.Fatalf("%d results of %d calls", len(results), len(calls))
	}
	return results
}

func bearer(token string) map[string]any {
	return map[string]any{"headers": map[string]string{"Authorization": "Bearer " + token}}
}

func TestCallsFromAnotherOrigin(t *testing.T) {
	s := startApplication(t)
	results := have(t, s.SecondURL("/app.html"), nil,
		call{"read", s.URL("/me"), nil},
		call{"read", s.URL("/me"), bearer(harness.Token(t))},
		call{"read", s.URL("/admin"), bearer(harness.Token(t, harness.Claims{"scope": "read"}))},
		call{"read", s.URL("/away"), bearer(harness.Token(t))},
		call{"read", s.URL("/me"), bearer(harness.Token(t, harness.Claims{"exp": 1}))},
		call{"callWithRefresh", s.URL("/me"), map[string]any{"session": "/session"}},
		call{"readXHR", s.URL("/me"), nil},
	)
	t.Run("CORS-5 CORS-6: a 401 can be read with its challenge and its trace id", func(t *testing.T) {
		r := results[0]
		readable(t, r, 401, "missing_credentials", `Bearer realm="api"`)
		if len(r.Preflights) != 0 {
			t.Errorf("a call without fields of its own needs no preflight: %v", r.Preflights)
		}
		readable(t, results[6], 401, "missing_credentials", `Bearer realm="api"`)
	})
	t.Run("CORS-1 CORS-3 CORS-4: the preflight of a call with a token passes, and so does the call", func(t *testing.T) {
		if r := results[1]; r.Status != 200 || r.Body != "GET by alice" || !slices.Equal(r.Preflights, []int{204}) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("CORS-5 CORS-6: a 403 can be read with what is required", func(t *testing.T) {
		p := readable(t, results[2], 403, "insufficient_scope",
			`Bearer realm="api", error="insufficient_scope", scope="admin", error_description="The access token lacks a required scope"`)
		if !slices.Equal(p.RequiredScopes, []string{"admin"}) {
			t.Errorf("%+v", p)
		}
	})
	t.Run("CORS-5 CORS-6 AVAIL-1: a 503 can be read with when to ask again", func(t *testing.T) {
		r := results[3]
		readable(t, r, 503, "temporarily_unavailable", "")
		if r.Header["retry-after"] == "" {
			t.Errorf("%v", r.Header)
		}
	})
	t.Run("CORS-6: an expired token can be told from others", func(t *testing.T) {
		readable(t, results[4], 401, "expired_token",
			`Bearer realm="api", error="invalid_token", error_description="The access token is expired"`)
	})
	t.Run("CORS-5 CORS-6 CLI-2: an application that renews its token at a 401 gets through", func(t *testing.T) {
		if r := results[5]; r.Before != 401 || r.Status != 200 || r.Body != "GET by alice" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("CORS-9: no call is redirected", func(t *testing.T) {
		for i, r := range results {
			if r.Redirected {
				t.Errorf("call %d: %+v", i, r)
			}
		}
	})
}

// readable checks a denial as a script read it.
func readable(t *testing.T, r response, status int, code, challenge string) harness.Problem {
	t.Helper()
	if r.Error != "" || r.Status != status {
		t.Fatalf("%+v", r)
	}
	if got := r.Header["www-authenticate"]; got != challenge {
		t.Errorf("challenge\n got %s\nwant %s", got, challenge)
	}
	p := r.problem(t)
	if p.Code != code || p.TraceID == "" {
		t.Errorf("%+v", p)
	}
	if id := r.Header["x-trace-id"]; id != p.TraceID {
		t.Errorf("trace id %q, in the body %q", id, p.TraceID)
	}
	return p
}

func TestCallsWithCookies(t *testing.T) {
	s := startApplication(t)
	cookies := []map[string]any{{"name": "key", "value": apiKey, "url": s.URL("/")}}
	results := have(t, s.SecondURL("/app.html"), cookies,
		call{"read", s.URL("/key"), map[string]any{"credentials": "include"}},
		call{"read", s.URL("/key"), map[string]any{"credentials": "include", "method": "DELETE"}},
		call{"read", s.URL("/key"), map[string]any{"credentials": "omit"}},
		call{"read", s.URL("/key"), map[string]any{"headers": map[string]string{"X-API-Key": apiKey}}},
	)
	t.Run("CORS-7: a call with cookies can be read", func(t *testing.T) {
		if r := results[0]; r.Status != 200 || r.Body != "GET by partner-a" || len(r.Preflights) != 0 {
			t.Errorf("%+v", r)
		}
	})
	t.Run("CORS-7 CORS-3 R6750-15: so can one that changes something, after its preflight", func(t *testing.T) {
		if r := results[1]; r.Status != 200 || r.Body != "DELETE by partner-a" || !slices.Equal(r.Preflights, []int{204}) {
			t.Errorf("%+v", r)
		}
	})
	t.Run("CORS-7: without them it is a 401 that can be read", func(t *testing.T) {
		readable(t, results[2], 401, "missing_credentials", `ApiKey realm="api", in="header", name="X-API-Key"`)
	})
	t.Run("CORS-4: a key in a field of its own passes its preflight", func(t *testing.T) {
		if r := results[3]; r.Status != 200 || !slices.Equal(r.Preflights, []int{204}) {
			t.Errorf("%+v", r)
		}
	})
}

func TestCallsFromAStranger(t *testing.T) {
	s := startApplication(t)
	page := strings.Replace(s.SecondURL("/app.html"), "localhost", "127.0.0.1", 1)
	results := have(t, page, nil,
		call{"read", s.URL("/me"), bearer(harness.Token(t))},
		call{"read", s.URL("/me"), nil},
		call{"read", s.URL("/key"), map[string]any{"credentials": "include", "method": "DELETE"}},
		call{"readXHR", s.URL("/me"), nil},
		call{"read", "/session", nil},
	)
	t.Run("CORS-8: an origin that is not named can read nothing", func(t *testing.T) {
		for i, r := range results[:4] {
			if r.Error == "" || r.Status != 0 || r.Body != "" {
				t.Errorf("call %d: %+v", i, r)
			}
		}
	})
	t.Run("CORS-8: what needs a preflight is not even sent", func(t *testing.T) {
		for _, record := range s.Decisions() {
			if record["method"] != "GET" || record["decision"] != "denied" {
				t.Errorf("%v", record)
			}
		}
		if sent := len(s.Decisions()); sent != 2 {
			t.Errorf("%d requests reached a gate, want the two that need no preflight", sent)
		}
	})
	t.Run("its script can read its own site", func(t *testing.T) {
		if r := results[4]; r.Status != 200 || r.Error != "" {
			t.Errorf("%+v", r)
		}
	})
}
