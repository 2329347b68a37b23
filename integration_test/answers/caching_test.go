package answers

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestCaching(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60, s-maxage=600")
		_, _ = io.WriteString(w, "ok")
	})
	s := harness.Start(t, configure("", schemes+"\nbearer down {\naudience x\njwks http://127.0.0.1:1/jwks\n}", `
		header {
			Cache-Control "public, max-age=600"
			ETag `+"`\"set-before\"`"+`
			Expires "Thu, 01 Dec 2044 16:00:00 GMT"
			Last-Modified "Thu, 01 Dec 1994 16:00:00 GMT"
			Set-Cookie "a=b"
			X-Own kept
		}
		require_auth /file corp
		require_auth /key* partners
		require_auth /basic* ops
		require_auth /admin corp {
			scope admin
		}
		require_auth /down down
		reverse_proxy /file/* `+b.addr+`
		root `+root+`
		file_server
	`))
	token := harness.Token(t)
	rows := map[string]*harness.Response{
		"400": s.Get("/file", harness.Bearer("a"), harness.Bearer("b")), "401": s.Get("/file"),
		"403": s.Get("/admin", harness.Bearer(token)), "503": s.Get("/down", harness.Bearer(token)),
	}
	for status, r := range rows {
		t.Run("CACHE-1: what described a success is not in a "+status, func(t *testing.T) {
			if strconv.Itoa(r.Status) != status {
				t.Errorf("status %d", r.Status)
			}
			field(t, r, "Cache-Control", "no-store")
			field(t, r, "X-Own", "kept")
			for _, name := range []string{"ETag", "Expires", "Last-Modified", "Set-Cookie", "Accept-Ranges", "Age"} {
				field(t, r, name)
			}
		})
	}
	t.Run("CACHE-1: the fields are there on a success", func(t *testing.T) {
		r := s.Get("/file", harness.Bearer(token))
		field(t, r, "Cache-Control", "public, max-age=600")
		field(t, r, "Set-Cookie", "a=b")
	})
	t.Run("CACHE-5: preconditions and ranges are ignored before the caller is known", func(t *testing.T) {
		for _, option := range with(harness.Header("If-None-Match", "*"), harness.Header("If-None-Match", `"set-before"`),
			harness.Header("If-Modified-Since", "Thu, 01 Dec 2044 16:00:00 GMT"), harness.Header("If-Match", `"x"`),
			harness.Header("If-Unmodified-Since", "Thu, 01 Dec 1994 16:00:00 GMT"), harness.Header("Range", "bytes=0-1"), harness.Header("Range", "bytes=99-")) {
			want(t, s.Get("/file", option), 401, "missing_credentials", bare)
		}
		want(t, s.Get("/file", harness.Bearer(token), harness.Header("Range", "bytes=0-1")), 206, "")
		want(t, s.Get("/file", harness.Bearer(token), harness.Header("If-Match", `"x"`)), 412, "")
	})
	t.Run("CACHE-6: no answer clears the data of a site", func(t *testing.T) {
		for _, r := range rows {
			field(t, r, "Clear-Site-Data")
		}
	})
}

// TestShared asks what shared caches may keep of an answer to a known caller.
func TestShared(t *testing.T) {
	b := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "public, max-age=60, s-maxage=600")
		w.Header().Set("Vary", "Accept-Encoding")
		_, _ = io.WriteString(w, "ok")
	})
	s := harness.Start(t, site("require_auth /token corp\nrequire_auth /basic ops\nrequire_auth /key* partners\nerror /key/none 404\nreverse_proxy "+b.addr))
	vary := func(r *harness.Response) string { return strings.Join(r.Header.Values("Vary"), ", ") }
	for name, row := range map[string]struct {
		r    *harness.Response
		vary string
	}{
		"a password":      {s.Get("/basic", harness.Basic("alice", password)), "Accept-Encoding, Authorization"},
		"a key":           {s.Get("/key", key(apiKey)), "Accept-Encoding, X-Api-Key"},
		"a key in cookie": {s.Get("/key", harness.Header("Cookie", "api_key="+apiKey)), "Accept-Encoding, Cookie"},
		"a key in query":  {s.Get("/key?api_key=" + apiKey), "Accept-Encoding"},
	} {
		t.Run("CACHE-3 KEY-4: not left to shared caches: "+name, func(t *testing.T) {
			wantPassed(t, row.r, "ok")
			field(t, row.r, "Cache-Control", "max-age=60, private")
			if got := vary(row.r); got != row.vary {
				t.Errorf("Vary %q, want %q", got, row.vary)
			}
		})
	}
	t.Run("CACHE-3: a token in Authorization is what shared caches know about", func(t *testing.T) {
		field(t, s.Get("/token", harness.Bearer(harness.Token(t))), "Cache-Control", "public, max-age=60, s-maxage=600")
	})
	t.Run("CACHE-3 KEY-4: an error after admission is not left to shared caches either", func(t *testing.T) {
		r := s.Get("/key/none", key(apiKey))
		want(t, r, 404, "")
		field(t, r, "Cache-Control", "private")
		if got := vary(r); got != "X-Api-Key" {
			t.Errorf("Vary %q", got)
		}
	})
}

// TestCORS asks what scripts of an allowed origin may read of a denial.
func TestCORS(t *testing.T) {
	s := harness.Start(t, configure("", schemes+"\nbearer down {\naudience x\njwks http://127.0.0.1:1/jwks\n}", `
		auth_cors https://web.example {
			credentials
		}
		require_auth /me corp
		require_auth /admin corp {
			scope admin
		}
		require_auth /down down
		respond ok
	`))
	token := harness.Bearer(harness.Token(t))
	origin := harness.Header("Origin", "https://web.example")
	t.Run("CORS-5 CORS-6: denials are as readable as a success", func(t *testing.T) {
		for _, r := range []*harness.Response{
			s.Get("/me", origin, token), s.Get("/me", origin), s.Get("/me", origin, token, token), s.Get("/admin", origin, token), s.Get("/down", origin, token),
		} {
			field(t, r, "Access-Control-Allow-Origin", "https://web.example")
			field(t, r, "Access-Control-Allow-Credentials", "true")
			field(t, r, "Access-Control-Expose-Headers", "WWW-Authenticate, Retry-After, DPoP-Nonce, X-Trace-Id")
		}
	})
	t.Run("CORS-5: another origin may read nothing", func(t *testing.T) {
		field(t, s.Get("/me", harness.Header("Origin", "https://evil.example")), "Access-Control-Allow-Origin")
	})
	method := harness.Header("Access-Control-Request-Method", "GET")
	t.Run("CORS-1 CORS-3: a preflight is never 401", func(t *testing.T) {
		r := s.Do("OPTIONS", s.URL("/me"), origin, method)
		want(t, r, 204, "")
	})
	t.Run("CORS-2: what only looks like one is guarded", func(t *testing.T) {
		for name, r := range map[string]*harness.Response{
			"no origin": s.Do("OPTIONS", s.URL("/me"), method), "no method": s.Do("OPTIONS", s.URL("/me"), origin),
			"another method": s.Do("GET", s.URL("/me"), origin, method), "a bad token": s.Do("OPTIONS", s.URL("/me"), origin, method, harness.Bearer("x")),
			"a key": s.Do("OPTIONS", s.URL("/me"), origin, method, key("x")), "a cookie": s.Do("OPTIONS", s.URL("/me"), origin, method, harness.Header("Cookie", "api_key=x")),
			"an override": s.Do("OPTIONS", s.URL("/me"), origin, method, harness.Header("X-HTTP-Method-Override", "DELETE")),
		} {
			if r.Status != 401 {
				t.Errorf("%s: status %d", name, r.Status)
			}
		}
	})
}
