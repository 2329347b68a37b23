package answers

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestFramework holds the answers against RFC 9110 §11.
func TestFramework(t *testing.T) {
	s := harness.Start(t, site(`
		handle_errors {
			respond "page"
		}
		require_auth /me corp
		require_auth /admin corp {
			scope admin write
		}
		require_auth /basic ops
		require_auth /key partners
		require_auth /mixed partners ops corp
		respond "hello {http.auth.user.id}"
	`))
	token := harness.Token(t)
	t.Run("R9110-1: every method, HEAD and script requests get a challenge", func(t *testing.T) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "X-OWN"} {
			for path, challenge := range map[string]string{"/me": bare, "/basic": basic, "/key": keyed} {
				if r := s.Do(method, s.URL(path)); r.Status != 401 || fmt.Sprint(r.Challenges()) != fmt.Sprint([]string{challenge}) {
					t.Errorf("%s %s: %d %q", method, path, r.Status, r.Challenges())
				}
			}
		}
	})
	script := harness.Header("X-Requested-With", "XMLHttpRequest")
	t.Run("R9110-1 BRW-2: an XMLHttpRequest gets no Basic challenge, but one", func(t *testing.T) {
		field(t, s.Get("/basic", script), "Www-Authenticate", `xBasic realm="api"`)
		field(t, s.Get("/mixed", script), "Www-Authenticate", bare, keyed)
		field(t, s.Get("/basic", harness.Header("Sec-Fetch-Mode", "cors")), "Www-Authenticate", basic)
	})
	t.Run("R9110-4: never 407, and Proxy-Authorization is not read", func(t *testing.T) {
		for _, path := range []string{"/me", "/basic", "/key"} {
			r := s.Get(path, harness.Header("Proxy-Authorization", "Bearer "+token))
			field(t, r, "Proxy-Authenticate")
			if r.Status != 401 {
				t.Errorf("%s: status %d", path, r.Status)
			}
		}
	})
	t.Run("R9110-5: scheme names are compared without case", func(t *testing.T) {
		for _, name := range []string{"Bearer", "bearer", "BEARER", "bEaReR"} {
			wantPassed(t, s.Get("/me", harness.Header("Authorization", name+" "+token)), "hello alice")
		}
		pair := "YWxpY2U6Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5" // alice and the password
		for _, name := range []string{"Basic", "basic", "BASIC"} {
			wantPassed(t, s.Get("/basic", harness.Header("Authorization", name+" "+pair)), "hello alice")
		}
	})
	t.Run("R9110-5: a scheme whose name only begins alike is another one", func(t *testing.T) {
		for _, value := range []string{"BearerX " + token, "Bearer" + token, "Bear " + token, token, "DPoP " + token, "Bearer=" + token} {
			if r := s.Get("/me", harness.Header("Authorization", value)); r.Status != 401 {
				t.Errorf("%.12s…: status %d", value, r.Status)
			}
		}
	})
	t.Run("R9110-6: several spaces separate, a tab and what trails do not", func(t *testing.T) {
		wantPassed(t, s.Get("/me", harness.Header("Authorization", "Bearer    "+token)), "hello alice")
		wantPassed(t, s.Get("/me", harness.Header("Authorization", "  Bearer "+token+"  ")), "hello alice")
		for _, value := range []string{"Bearer\t" + token, "Bearer \t" + token, "Bearer " + token + " trailing", "Bearer " + token + "\ttrailing"} {
			r := s.Get("/me", harness.Header("Authorization", value))
			if r.Status != 401 {
				t.Errorf("%q…: status %d", value[:9], r.Status)
			}
		}
	})
	t.Run("R9110-7 R9110-8: one scheme, one space, quoted parameters once each", func(t *testing.T) {
		count := 0
		for _, path := range []string{"/me", "/admin", "/basic", "/key", "/mixed"} {
			for _, options := range [][]harness.Option{nil, with(harness.Bearer("x")), with(tokenWithScope(t, "read")), with(script), with(harness.Bearer("a"), harness.Bearer("b"))} {
				for _, challenge := range s.Get(path, options...).Challenges() {
					checkChallenge(t, challenge)
					count++
				}
			}
		}
		if count < 20 {
			t.Errorf("%d challenges: were they found?", count)
		}
	})
	t.Run("R9110-10 R9110-11: one field line a challenge, unregistered last, a thousand times", func(t *testing.T) {
		for range 1000 {
			if got := fmt.Sprintf("%q", s.Get("/mixed").Challenges()); got != fmt.Sprintf("%q", []string{bare, basic, keyed}) {
				t.Fatalf("challenges %s", got)
			}
		}
	})
	t.Run("R9110-13: a 403 for scope and a 400 carry a challenge", func(t *testing.T) {
		want(t, s.Get("/admin", tokenWithScope(t, "read")), 403, "",
			`Bearer realm="api", error="insufficient_scope", scope="admin write", error_description="The access token lacks a required scope"`)
		want(t, s.Get("/me", harness.Bearer("a"), harness.Bearer("b")), 400, "", twice)
	})
}

var (
	wellFormed = regexp.MustCompile(`^[A-Za-z]+ [a-z_]+="(?:[^"\\\x00-\x1f\x7f]|\\["\\])*"(?:, [a-z_]+="(?:[^"\\\x00-\x1f\x7f]|\\["\\])*")*$`)
	parameter  = regexp.MustCompile(`([a-z_]+)="`)
)

func checkChallenge(t *testing.T, challenge string) {
	t.Helper()
	if !wellFormed.MatchString(challenge) {
		t.Errorf("not one scheme and quoted parameters: %s", challenge)
	}
	seen := make(map[string]bool)
	for _, match := range parameter.FindAllStringSubmatch(challenge, -1) {
		if seen[match[1]] {
			t.Errorf("%s is repeated: %s", match[1], challenge)
		}
		seen[match[1]] = true
	}
}

// TestRealm asks what becomes of a realm that is no plain word.
func TestRealm(t *testing.T) {
	t.Run("R9110-9: a quote and a backslash become quoted pairs", func(t *testing.T) {
		s := harness.Start(t, configure("", "realm `the \"inner\" C:\\x`\n"+schemes, "require_auth corp ops partners\nrespond ok"))
		want(t, s.Get("/"), 401, "missing_credentials", `Bearer realm="the \"inner\" C:\\x"`,
			`Basic realm="the \"inner\" C:\\x", charset="UTF-8"`, `ApiKey realm="the \"inner\" C:\\x", in="header", name="X-API-Key"`)
	})
	s := harness.Start(t, site("require_auth corp\nrespond ok"))
	for name, realm := range map[string]string{"letters": "zürich", "a line break": "`a\nb`", "a bell": "a\ab", "a parameter": `"x scope=y"`} {
		t.Run("R9110-9: refused in a realm at load: "+name, func(t *testing.T) {
			for _, auth := range []string{"realm " + realm + "\n" + schemes, strings.Replace(schemes, "bearer corp {", "bearer corp {\nrealm "+realm, 1)} {
				err := s.TryReload(configure("", auth, "require_auth corp\nrespond ok"))
				if err == nil || !strings.Contains(err.Error(), "realm") {
					t.Errorf("the error is %v", err)
				}
			}
		})
	}
}
