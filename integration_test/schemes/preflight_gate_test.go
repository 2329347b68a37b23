package schemes

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// observation is what an upstream was asked last, and how often.
type observation struct {
	count   atomic.Int32
	request atomic.Pointer[http.Request]
	body    atomic.Value
}

// chatty is an upstream that looks at no method, and answers with everything
// that an answer can have.
func chatty(t *testing.T) (address string, observed *observation) {
	t.Helper()
	observed = new(observation)
	return upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		observed.count.Add(1)
		observed.request.Store(r)
		observed.body.Store(string(body))
		h := w.Header()
		h.Set("Link", "</secret.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		h["Set-Cookie"] = []string{"session=secret"}
		h["Www-Authenticate"] = []string{"Secret"}
		h["X-Balance"], h["Location"] = []string{"secret"}, []string{"/secret"}
		h["Access-Control-Allow-Origin"], h["Access-Control-Allow-Methods"] = []string{web}, []string{"PUT"}
		h["Access-Control-Max-Age"] = []string{"600"}
		h["Vary"] = []string{"Origin", "Access-Control-Request-Method"}
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "secret")
	}), observed
}

// wantPreflight wants the empty answer of a gate to a preflight.
func wantPreflight(t *testing.T, r *harness.Response) {
	t.Helper()
	if r.Status != http.StatusNoContent || r.Body != "" {
		t.Errorf("status %d, body %q", r.Status, r.Body)
	}
	for name := range r.Header {
		switch name {
		case "Server", "Date", "Via":
		default:
			t.Errorf("%s: %q", name, r.Header[name])
		}
	}
}

const declaredHere = `
	bearer corp {` + harness.BearerLines + `
		token_from header
		token_from query token
	}
	api_key partners {
		from query api_key
		key partner-a `

// TestPreflightAnswered reaches for handlers that look at no method.
func TestPreflightAnswered(t *testing.T) {
	address, observed := chatty(t)
	www := t.TempDir()
	if err := os.WriteFile(filepath.Join(www, "secret.html"), []byte("secret {{.Req.Method}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := `
	handle /respond {
		respond secret
	}
	handle_path /templates/* {
		root ` + www + `
		templates
		method GET
		file_server
	}
	handle /metrics {
		metrics
	}
	handle_errors {
		rewrite /secret.html
		root ` + www + `
		templates
		file_server
	}
	reverse_proxy ` + address + `
`
	auth := declaredHere + digest("key-of-a") + "\n}"
	for name, gate := range map[string]string{
		"as it comes":         "require_auth corp",
		"as it says":          "require_auth corp {\npreflight answer\n}",
		"optional":            "require_auth corp {\noptional\n}",
		"hidden":              "require_auth corp {\nhide all\n}",
		"behind another":      "require_auth corp {\npreflight forward\n}\nrequire_auth partners",
		"in front of another": "require_auth partners\nrequire_auth corp {\npreflight forward\n}",
	} {
		s := harness.Start(t, config(auth, gate+lines))
		t.Run("CORS-1: the gate answers, and nothing behind it, "+name, func(t *testing.T) {
			for _, path := range []string{"/respond", "/templates/secret.html", "/metrics", "/", "/transfer?to=mallory", "/missing"} {
				wantPreflight(t, preflight(s, s.URL(path)))
			}
			wantPreflight(t, preflight(s, s.URL("/"), harness.Body("text/plain", "evil"), harness.Header("Expect", "100-continue")))
			if n := observed.count.Load(); n != 0 {
				t.Errorf("the upstream was asked %d times", n)
			}
		})
	}
}

// TestPreflightIsNoted reads what the log says of preflights to a site.
func TestPreflightIsNoted(t *testing.T) {
	auth := declaredHere + digest("key-of-a") + "\n}"
	notes := func(s *harness.Server) (hosts []string) {
		for _, record := range s.Decisions() {
			if record["level"] == "warn" && strings.Contains(record["msg"].(string), "preflight") {
				for field, words := range map[string]string{"to_allow_origins": "auth_cors", "to_let_the_upstream_answer": "preflight forward"} {
					if text, _ := record[field].(string); !strings.Contains(text, words) {
						t.Errorf("%s is %q", field, text)
					}
				}
				hosts = append(hosts, record["host"].(string))
			}
		}
		return hosts
	}
	send := func(s *harness.Server) {
		for range 3 {
			for _, path := range []string{"/", "/a", "/b"} {
				preflight(s, s.URL(path))
				preflight(s, s.URL(path), harness.Host("other.example"))
			}
		}
	}
	const gates = "require_auth corp\nhandle /a {\nrequire_auth partners\nrespond ok\n}\nrespond ok\n"
	t.Run("CORS-1: once for each site it is said how to change it", func(t *testing.T) {
		s := harness.Start(t, config(auth, gates)+"http://other.example:8080 {\n"+gates+"}\n")
		send(s)
		if hosts := notes(s); len(hosts) != 2 || hosts[0] == hosts[1] {
			t.Errorf("said of %q", hosts)
		}
	})
	t.Run("CORS-1: once for a site of all hosts", func(t *testing.T) {
		s := harness.Start(t, strings.Replace(config(auth, gates), "http://localhost:8080", ":8080", 1))
		send(s)
		if hosts := notes(s); len(hosts) != 1 {
			t.Errorf("said of %q", hosts)
		}
	})
	for name, lines := range map[string]string{
		"where it is written who answers": "require_auth corp {\npreflight answer\n}\nrespond ok",
		"where auth_cors answers":         "auth_cors " + web + "\nrequire_auth corp\nrespond ok",
		"where the upstream answers":      "require_auth corp {\npreflight forward\n}\nrespond ok",
	} {
		t.Run("CORS-1: nothing is said "+name, func(t *testing.T) {
			s := harness.Start(t, config(auth, lines))
			send(s)
			if hosts := notes(s); len(hosts) != 0 {
				t.Errorf("said of %q", hosts)
			}
		})
	}
}

// passedOn wants the part of the answer that CORS needs, and no more.
func passedOn(t *testing.T, r *harness.Response) {
	t.Helper()
	if r.Status != http.StatusOK || r.Body != "" {
		t.Errorf("status %d, body %q", r.Status, r.Body)
	}
	for name, value := range map[string]string{
		"Access-Control-Allow-Origin": web, "Access-Control-Allow-Methods": "PUT", "Access-Control-Max-Age": "600",
		"Vary": "Origin, Access-Control-Request-Method",
	} {
		if got := strings.Join(r.Header[name], ", "); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
	for name := range r.Header {
		switch {
		case strings.HasPrefix(name, "Access-Control-"), name == "Vary", name == "Server", name == "Date", name == "Via", name == "Content-Length":
		default:
			t.Errorf("%s: %q", name, r.Header[name])
		}
	}
}

// TestPreflightForwarded has an upstream with a CORS configuration of its own.
func TestPreflightForwarded(t *testing.T) {
	address, observed := chatty(t)
	auth := declaredHere + digest("key-of-a") + "\n}"
	s := harness.Start(t, config(auth, "require_auth corp {\npreflight forward\nforward X-User {http.auth.user.id}\n}\nrequire_auth partners {\npreflight forward\n}\nreverse_proxy "+address))
	t.Run("CORS-1: status, Access-Control-* and Vary pass, and nothing else", func(t *testing.T) {
		passedOn(t, preflight(s, s.URL("/")))
	})
	t.Run("CORS-1: no credential, no identity and no body goes on", func(t *testing.T) {
		for _, query := range []string{"access_token=x", "token=x", "api_key=x", "a=1&access_token=x&access_token=y", "api_key=key-of-a&token=x&access%5Ftoken=x&a=1"} {
			passedOn(t, preflight(s, s.URL("/?"+query), harness.Body("text/plain", "evil"), harness.Header("X-User", "root"), harness.Header("x_user", "root")))
			got := observed.request.Load()
			if left := got.URL.RawQuery; left != "" && left != "a=1" {
				t.Errorf("%s: the upstream was told %s", query, left)
			}
			if observed.body.Load() != "" || got.Header["X-User"] != nil || got.Header["X_user"] != nil {
				t.Errorf("%s: the upstream was told %q %v", query, observed.body.Load(), got.Header)
			}
		}
	})
	t.Run("CORS-2: any other OPTIONS is guarded", func(t *testing.T) {
		before := observed.count.Load()
		for _, options := range [][]harness.Option{nil, {origin(web)}} {
			if r := s.Do("OPTIONS", s.URL("/"), options...); r.Status != 401 {
				t.Errorf("status %d", r.Status)
			}
		}
		if r := preflight(s, s.URL("/"), authorization("Bearer x")); r.Status != 401 {
			t.Errorf("status %d", r.Status)
		}
		if observed.count.Load() != before {
			t.Error("the upstream was asked")
		}
	})
	www := t.TempDir()
	if err := os.WriteFile(filepath.Join(www, "secret.html"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		lines  string
		status int
	}{
		"an upstream that is down":    {"reverse_proxy localhost:1", 502},
		"an error":                    {"error secret 404", 404},
		"a template that is broken":   {"templates {\nmime text/plain\n}\nheader Content-Type text/plain\nrespond `{{nonsense`", 500},
		"what flushes and goes on":    {"reverse_proxy " + address + " {\nflush_interval -1\n}", 200},
		"a handler that says nothing": {"vars a b", 200},
	} {
		t.Run("CORS-1: no page of the site follows "+name, func(t *testing.T) {
			s.Reload(config(auth, "require_auth corp {\npreflight forward\n}\nroute {\n"+test.lines+"\n}\nhandle_errors {\nroot "+www+"\nrewrite /secret.html\nmethod GET\nfile_server\n}"))
			r := preflight(s, s.URL("/secret.html"))
			if r.Status != test.status || r.Body != "" || r.Header["Content-Type"] != nil || r.Header["Etag"] != nil {
				t.Errorf("status %d, body %q, fields %v", r.Status, r.Body, r.Header)
			}
		})
	}
	t.Run("CORS-1 MCP-10: past the origin check of an mcp gate goes none", func(t *testing.T) {
		s.Reload(config("bearer corp {"+harness.BearerLines+"}", "require_auth {\npreflight forward\nmcp {\norigin "+web+"\n}\n}\nreverse_proxy "+address))
		before := observed.count.Load()
		wantPreflight(t, s.Do("OPTIONS", s.URL("/"), origin("https://stranger.example"), harness.Header("Access-Control-Request-Method", "POST")))
		if observed.count.Load() != before {
			t.Error("the server was asked")
		}
		passedOn(t, preflight(s, s.URL("/")))
	})
}

// TestPreflightRefused has configurations that mean nothing.
func TestPreflightRefused(t *testing.T) {
	for _, lines := range []string{"preflight", "preflight maybe", "preflight answer forward", "preflight answer\npreflight forward"} {
		t.Run("CORS-1: refused at load: "+lines, func(t *testing.T) {
			_, err := harness.Adapt(config("bearer corp {"+harness.BearerLines+"}", "require_auth {\n"+lines+"\n}\nrespond ok"))
			if err == nil || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}
