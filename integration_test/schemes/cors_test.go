package schemes

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func corsServer(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Start(t, config(mixedLines(t), `
	@all path /all*
	@web not path /all*
	auth_cors @web `+web+` https://*.apps.example {
		credentials
		expose X-Request-Id
	}
	auth_cors @all *
	require_auth later ops partners corp {
		scope read
	}
	respond hello`))
}

// denials are requests that are denied each in a way of its own.
func denials(t *testing.T) map[string]struct {
	status  int
	options []harness.Option
} {
	t.Helper()
	return map[string]struct {
		status  int
		options []harness.Option
	}{
		"400":             {400, []harness.Option{key("key-of-a"), encoded("alice:secret")}},
		"401":             {401, nil},
		"401 of a token":  {401, []harness.Option{harness.Bearer("x")}},
		"403 of a token":  {403, []harness.Option{harness.Bearer(harness.Token(t))}},
		"403 of a key":    {403, []harness.Option{key("key-of-a")}},
		"503 of a scheme": {503, []harness.Option{harness.Header("X-Busy", "x")}},
	}
}

func TestDenialsAndCORS(t *testing.T) {
	s := corsServer(t)
	for name, test := range denials(t) {
		t.Run("CORS-5: a "+name+" can be read by an allowed origin", func(t *testing.T) {
			for _, from := range []string{web, "https://one.apps.example"} {
				response := s.Get("/", append(test.options, origin(from))...)
				if response.Status != test.status {
					t.Fatalf("status %d\n%s", response.Status, response.Body)
				}
				if got := response.Header["Access-Control-Allow-Origin"]; !slices.Equal(got, []string{from}) {
					t.Errorf("Access-Control-Allow-Origin: %q", got)
				}
				if got := response.Header["Access-Control-Allow-Credentials"]; !slices.Equal(got, []string{"true"}) {
					t.Errorf("Access-Control-Allow-Credentials: %q", got)
				}
			}
		})
		t.Run("CORS-6: a "+name+" exposes what a script needs", func(t *testing.T) {
			response := s.Get("/", append(test.options, origin(web))...)
			exposed := members(response.Header["Access-Control-Expose-Headers"])
			for _, needed := range []string{"www-authenticate", "retry-after", "dpop-nonce", "x-trace-id", "x-request-id"} {
				if !slices.Contains(exposed, needed) {
					t.Errorf("%s is not among %q", needed, exposed)
				}
			}
			if response.Header.Get("X-Trace-Id") == "" || response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", response.Header)
			}
		})
		t.Run("CORS-8: a "+name+" varies by origin, whoever asks", func(t *testing.T) {
			for _, from := range []string{web, "https://evil.example", "null", ""} {
				response := s.Get("/", append(test.options, origin(from))...)
				if got := members(response.Header["Vary"]); !slices.Contains(got, "origin") {
					t.Errorf("from %q: Vary %q", from, got)
				}
			}
			if got := members(s.Get("/", test.options...).Header["Vary"]); !slices.Contains(got, "origin") {
				t.Errorf("without Origin: Vary %q", got)
			}
		})
		t.Run("CORS-8: a "+name+" cannot be read by another origin", func(t *testing.T) {
			for _, from := range []string{"https://evil.example", "null", "http://web.example", web + ".evil.example", "https://a.b.apps.example", "https://apps.example"} {
				response := s.Get("/", append(test.options, origin(from))...)
				if got := response.Header["Access-Control-Allow-Origin"]; response.Status != test.status || got != nil {
					t.Errorf("from %q: status %d, Access-Control-Allow-Origin %q", from, response.Status, got)
				}
			}
		})
		t.Run("CORS-8: a "+name+" for all does not vary", func(t *testing.T) {
			response := s.Get("/all", append(test.options, origin("https://evil.example"))...)
			if got := response.Header["Access-Control-Allow-Origin"]; response.Status != test.status || !slices.Equal(got, []string{"*"}) {
				t.Errorf("status %d, Access-Control-Allow-Origin %q", response.Status, got)
			}
			if got := response.Header["Access-Control-Allow-Credentials"]; got != nil {
				t.Errorf("Access-Control-Allow-Credentials: %q", got)
			}
			if got := members(response.Header["Vary"]); slices.Contains(got, "origin") {
				t.Errorf("Vary %q", got)
			}
		})
	}
	t.Run("CORS-7: with credentials nothing is allowed by *", func(t *testing.T) {
		for _, response := range []*harness.Response{preflight(s, s.URL("/")), s.Get("/", origin(web))} {
			for name, values := range response.Header {
				if strings.HasPrefix(name, "Access-Control-") && slices.Contains(values, "*") {
					t.Errorf("%s: %q", name, values)
				}
			}
		}
	})
	t.Run("CORS-6: a 503 says when to ask again", func(t *testing.T) {
		if got := s.Get("/", origin(web), harness.Header("X-Busy", "x")).Header["Retry-After"]; !slices.Equal(got, []string{"2"}) {
			t.Errorf("Retry-After %q", got)
		}
	})
	t.Run("CORS-5: a success says the same as a denial", func(t *testing.T) {
		admitted := s.Get("/", origin(web), harness.Bearer(harness.Token(t, harness.Claims{"scope": "read"})))
		denied := s.Get("/", origin(web))
		wantOK(t, admitted)
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
			if got, want := denied.Header[name], admitted.Header[name]; len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s: %q, but %q on success", name, got, want)
			}
		}
	})
}

func TestVaryOfTwo(t *testing.T) {
	s := harness.Start(t, config(mixedLines(t), "auth_cors "+web+"\nrequire_auth partners\nrespond hello"))
	t.Run("KEY-4: Vary of a success names the origin and the key", func(t *testing.T) {
		got := members(s.Get("/", origin(web), key("key-of-a")).Header["Vary"])
		if !slices.Equal(got, []string{"origin", "x-api-key"}) {
			t.Errorf("Vary %q", got)
		}
	})
}

// TestFieldsOfAnUpstream has an upstream with a CORS of its own, which allows
// everybody everything, at paths that begin like the metadata of a resource.
func TestFieldsOfAnUpstream(t *testing.T) {
	address := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Credentials", "true")
		_, _ = io.WriteString(w, "upstream")
	})
	gates := "auth_cors " + web + "\nrequire_auth /mcp* corp {\nprotected_resource https://a.example/mcp\n}\nrequire_auth partners\nreverse_proxy " + address + "\n"
	s := harness.Start(t, config("bearer corp {"+harness.BearerLines+"}\napi_key partners {\nkey a "+digest("key-of-a")+"\nfrom cookie key\n}", gates)+
		"http://open.example:8080 {\nauth_cors "+web+"\nreverse_proxy "+address+"\n}\n")
	stranger := origin("https://stranger.example")
	const metadata = "/.well-known/oauth-protected-resource"
	for _, path := range []string{"/api/me", metadata, metadata + "/", metadata + "/x", metadata + "/..%2f..%2fapi/me", metadata + "/%2e%2e/%2e%2e/api/me", metadata + "x", "/.well-known/oauth-authorization-server/x"} {
		for _, host := range []string{"localhost", "open.example"} {
			t.Run("CORS-8: none of its fields passes, "+host+path, func(t *testing.T) {
				r := s.Get(path, harness.Host(host), stranger, cookie("key=key-of-a"))
				if r.Body != "upstream" {
					if host == "open.example" || !strings.HasPrefix(path, metadata) {
						t.Fatalf("status %d, body %s", r.Status, r.Body)
					}
					return // the document, or that there is none
				}
				for name := range r.Header {
					if strings.HasPrefix(name, "Access-Control-Allow-") {
						t.Errorf("%s: %q", name, r.Header[name])
					}
				}
			})
		}
		t.Run("CORS-1: none is asked by a preflight, "+path, func(t *testing.T) {
			if r := s.Do("OPTIONS", s.URL(path), harness.Host("open.example"), stranger, harness.Header("Access-Control-Request-Method", "GET")); r.Status != 204 || r.Body != "" {
				t.Errorf("status %d, body %s", r.Status, r.Body)
			}
		})
	}
	t.Run("CORS-10: the document itself can be read from everywhere", func(t *testing.T) {
		r := s.Get(metadata+"/mcp", stranger)
		if got := r.Header["Access-Control-Allow-Origin"]; r.Status != 200 || !slices.Equal(got, []string{"*"}) || r.Header["Access-Control-Allow-Credentials"] != nil {
			t.Errorf("status %d, fields %v", r.Status, r.Header)
		}
		r = s.Do("OPTIONS", s.URL(metadata+"/mcp"), stranger, harness.Header("Access-Control-Request-Method", "GET"))
		if got := r.Header["Access-Control-Allow-Headers"]; r.Status != 204 || len(got) != 1 || !strings.Contains(got[0], "MCP-Protocol-Version") {
			t.Errorf("status %d, fields %v", r.Status, r.Header)
		}
	})
}

// TestBodyOverTheLimit has a limit on bodies that Caddy itself enforces.
func TestBodyOverTheLimit(t *testing.T) {
	s := harness.Start(t, config("bearer corp {"+harness.BearerLines+"}", "request_body {\nmax_size 4\n}\nauth_cors "+web+"\nrequire_auth\nreverse_proxy localhost:1\n"))
	for name, options := range map[string][]harness.Option{
		"as it is":      {harness.Body("text/plain", "too long")},
		"with a denial": {harness.Body("text/plain", "too")},
	} {
		t.Run("CORS-5: scripts can read the answer, "+name, func(t *testing.T) {
			r := s.Do("POST", s.URL("/"), append(options, origin(web))...)
			if got := r.Header["Access-Control-Allow-Origin"]; r.Status != 413 && r.Status != 401 || !slices.Equal(got, []string{web}) {
				t.Errorf("status %d, Access-Control-Allow-Origin %q", r.Status, got)
			}
		})
	}
}
