package answers

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestHide compares hidden denials with the 404 that Caddy gives by itself.
func TestHide(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"secret", "dark"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte("here"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	gates := `
		auth_cors https://web.example {
			credentials
		}
		require_auth /secret corp ops partners {
			scope admin
			hide
		}
		require_auth /dark corp ops partners {
			role boss
			scope admin
			hide all
			strip_credentials
			forward X-User {http.auth.user.id}
		}
		error /plain 404
	`
	files := "root " + root + "\nfile_server"
	basicPair := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password))
	callers := map[string][]string{
		"token": {"Authorization: Bearer " + harness.Token(t)}, "password": {basicPair}, "key": {"X-API-Key: " + apiKey}, "key of a browser": {"X-API-Key: " + apiKey, "Accept-Encoding: gzip"}, "cookie": {"Cookie: api_key=" + apiKey},
		"script": {"X-Requested-With: XMLHttpRequest", basicPair}, "page": {"Accept: text/html", basicPair}, "origin": {"Origin: https://web.example", basicPair},
	}
	unknown := map[string][]string{
		"nobody": nil, "bad token": {"Authorization: Bearer x"}, "expired": {"Authorization: Bearer " + harness.Token(t, harness.Claims{"exp": 1})},
		"bad password": {"Authorization: Basic YTpi"}, "two": {"Authorization: Bearer x", "Authorization: Bearer y"}, "trace": {"X-Trace-Id: mine"}, "bad key": {"X-API-Key: x"},
	}
	for name, pages := range map[string]string{
		"without error pages": "", "with error pages": "handle_errors {\nrespond \"{err.status_code} {err.status_text} {http.auth.error} {http.auth.trace_id} {http.auth.required_scopes}\"\n}\n",
		"with error pages for 401 and 403": "handle_errors 401 403 {\nrespond denied\n}\n",
		"behind what changes answers":      "header {\n-Server\n>X-Late yes\n}\nencode gzip {\nminimum_length 1\n}\nintercept {\nreplace_status 200\n}\nlog\n",
		"with compressed error pages":      "header -Server\nencode gzip {\nminimum_length 1\n}\nhandle_errors {\nrespond \"{err.status_code} " + strings.Repeat("nothing ", 100) + "\"\n}\n",
		"with pages that name the user":    "handle_errors {\nrespond \"{err.status_code} {http.auth.user.id} {http.auth.scheme} {http.auth.client.id}\"\n}\n",
	} {
		s := harness.Start(t, configure("", schemes, pages+gates+files))
		send := func(method, path string, fields []string) string {
			lines := append([]string{method + " " + path + " HTTP/1.1", "Host: localhost", "Connection: close"}, fields...)
			answer := raw(t, s, append(lines, "", "")...)
			return regexp.MustCompile(`\r\nDate: [^\r]*`).ReplaceAllString(answer, "")
		}
		compare := func(t *testing.T, path string, fields []string) {
			t.Helper()
			for _, method := range []string{"GET", "HEAD"} {
				got := send(method, path, fields)
				if !strings.HasPrefix(got, "HTTP/1.1 404 ") {
					t.Errorf("%s %s: %.60q", method, path, got)
				}
				for _, missing := range []string{"/missing", "/plain"} {
					if own := send(method, missing, fields); got != own {
						t.Fatalf("%s %s is told from %s by %.60q\n got %q\nwant %q", method, path, missing, fields, got, own)
					}
				}
			}
		}
		t.Run("R9110-3 CORS-3: with auth_cors a preflight tells nothing either, "+name, func(t *testing.T) {
			fields := []string{"Origin: https://web.example", "Access-Control-Request-Method: GET"}
			hidden, own := send("OPTIONS", "/dark", fields), send("OPTIONS", "/missing", fields)
			if hidden != own || !strings.HasPrefix(own, "HTTP/1.1 204 ") {
				t.Errorf("\n got %q\nwant %q", hidden, own)
			}
		})
		t.Run("R9110-3: hide makes a 403 Caddy's own 404, "+name, func(t *testing.T) {
			for _, fields := range callers {
				compare(t, "/secret", fields)
				compare(t, "/dark", fields)
			}
			if got := send("GET", "/secret", []string{"Authorization: Bearer " + harness.Token(t, harness.Claims{"scope": "admin"})}); !strings.HasSuffix(got, "here") {
				t.Errorf("who may see it got %q", got)
			}
			if got := send("GET", "/secret", nil); !strings.HasPrefix(got, "HTTP/1.1 401 ") {
				t.Errorf("who is not known got %q", got)
			}
		})
		t.Run("R9110-3: hide all makes a 401 and a 400 that too, "+name, func(t *testing.T) {
			for _, fields := range unknown {
				compare(t, "/dark", fields)
			}
		})
	}
	t.Run("R9110-3: the record tells what was hidden", func(t *testing.T) {
		s := harness.Start(t, configure("", schemes, gates+files))
		want(t, s.Get("/secret", tokenWithScope(t, "read")), 404, "")
		record := decisionsByPath(t, s)
		if record["status"] != 404.0 || record["code"] != "insufficient_scope" || record["decision"] != "denied" {
			t.Errorf("record %v", record)
		}
	})
	t.Run("R9110-3 AVAIL-1: hide alone leaves a 503", func(t *testing.T) {
		s := harness.Start(t, configure("", "probe probe", "require_auth {\nhide\n}\nrespond ok"))
		want(t, s.Get("/", probing("unavailable")), 503, "temporarily_unavailable")
	})
}

// TestHideBehindAGate has a gate in front of the one that hides, and an access log.
func TestHideBehindAGate(t *testing.T) {
	s := harness.Start(t, site(`
		log
		route {
			require_auth partners
			header -Server
			require_auth /dark partners {
				scope admin
				hide
			}
			error 404
		}
	`))
	t.Run("R9110-3 KEY-4: what the first gate says of caches is the same", func(t *testing.T) {
		var answers [2]string
		for i, path := range []string{"/dark", "/missing"} {
			answers[i] = regexp.MustCompile(`\r\nDate: [^\r]*`).ReplaceAllString(
				raw(t, s, "GET "+path+" HTTP/1.1", "Host: localhost", "Connection: close", "X-API-Key: "+apiKey, "", ""), "")
		}
		if answers[0] != answers[1] || !strings.Contains(answers[0], "Cache-Control: private") {
			t.Errorf("\n got %q\nwant %q", answers[0], answers[1])
		}
	})
	t.Run("R9110-3: the access log has the status", func(t *testing.T) {
		harness.Eventually(t, "both requests are logged", func() bool { return len(s.Log("http.log.access")) == 2 })
		for _, record := range s.Log("http.log.access") {
			if record["status"] != 404.0 {
				t.Errorf("record %v", record)
			}
		}
	})
}
