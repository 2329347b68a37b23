package answers

import (
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestHideAll compares every denial of a gate with `hide all` with a missing page,
// byte by byte.
func TestHideAll(t *testing.T) {
	gates := `
		require_auth /probe* probe {
			hide all
		}
		require_auth /form* forms {
			hide all
		}
	`
	auth := "probe probe\nbearer forms {" + harness.BearerLines + "token_from form\n}"
	unstable := regexp.MustCompile(`\r\nDate: [^\r]*`)
	for name, pages := range map[string]string{
		"without error pages":               "",
		"with pages that show all of {err}": "handle_errors {\nrespond \"{err.status_code} {err.status_text} {err.message} {err.trace}\"\n}\n",
	} {
		s := harness.Start(t, configure("", auth, pages+gates+"root "+t.TempDir()+"\nfile_server"))
		compare := func(t *testing.T, request string) {
			t.Helper()
			send := func(path string) string {
				lines := strings.Split(strings.Replace(request, "PATH", path, 1), "\n")
				return unstable.ReplaceAllString(raw(t, s, lines...), "")
			}
			path := "/probe"
			if strings.Contains(request, "form") {
				path = "/form"
			}
			got, missing := send(path), send("/missing")
			if got != missing || !strings.HasPrefix(missing, "HTTP/1.1 404 ") {
				t.Errorf("\n got %q\nwant %q", got, missing)
			}
		}
		for _, outcome := range []string{
			"bad", "nobody", "zero", "unknown verdict", "unknown code", "unavailable", "unavailable, who knows", "attempts", "revoked", "session", "panic",
		} {
			t.Run("R9110-3: the outcome "+outcome+" is a missing page, "+name, func(t *testing.T) {
				compare(t, "GET PATH HTTP/1.1\nHost: localhost\nConnection: close\nX-Probe: "+outcome+"\n\n")
			})
		}
		t.Run("R9110-3: a credential over the bound is a missing page, "+name, func(t *testing.T) {
			compare(t, "GET PATH HTTP/1.1\nHost: localhost\nConnection: close\nX-form: 1\nAuthorization: Bearer "+strings.Repeat("a", 17<<10)+"\n\n")
		})
		const head = "POST PATH HTTP/1.1\nHost: localhost\nConnection: close\nContent-Type: application/x-www-form-urlencoded\nContent-Length: 14\n"
		t.Run("R9110-3: a client that waits for 100 Continue gets what a missing page sends, "+name, func(t *testing.T) {
			compare(t, head+"Expect: 100-continue\n\n")
			compare(t, head+"Expect: 100-continue\nAuthorization: Bearer x\n\naccess_token=x")
		})
		t.Run("R9110-3: a form is read all the same, "+name, func(t *testing.T) {
			compare(t, head+"\naccess_token=x")
			token := harness.Token(t)
			s.Do("POST", s.URL("/form"), harness.Body("application/x-www-form-urlencoded", "access_token="+token))
			if decisions := s.Decisions(); decisions[len(decisions)-1]["decision"] != "admitted" {
				t.Errorf("a good token: %v", decisions[len(decisions)-1])
			}
		})
	}
}
