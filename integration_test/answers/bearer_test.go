package answers

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestBearer holds the gate against RFC 6750, for tokens in the header.
func TestBearer(t *testing.T) {
	s := harness.Start(t, bearerSite(`
		require_auth /me
		require_auth /read {
			scope read
		}
		require_auth /both {
			scope read write
		}
		respond "hello {http.auth.user.id}"
	`))
	token := harness.Token(t)
	t.Run("R6750-1: a token in the Authorization field is accepted", func(t *testing.T) {
		wantPassed(t, s.Get("/me", harness.Bearer(token)), "hello alice")
	})
	t.Run("R6750-6: no or foreign credentials are answered without error parameters", func(t *testing.T) {
		for _, value := range []string{"", "Digest a=\"b\"", "Basic YTpi", "Negotiate abc", "DPoP " + token, "Bear " + token} {
			options := with(harness.Header("Authorization", value))
			if value == "" {
				options = nil
			}
			want(t, s.Get("/me", options...), 401, "missing_credentials", bare)
			want(t, s.Get("/read", options...), 401, "missing_credentials", `Bearer realm="api", scope="read"`)
		}
	})
	t.Run("R6750-9 R6750-11: scopes are whole values, in any order, with their case", func(t *testing.T) {
		for scope, pass := range map[string]bool{
			"read write": true, "write read": true, "a write b read": true, "read  write": true,
			"read": false, "write": false, "readwrite": false, "READ WRITE": false, "read Write": false,
			"readonly write": false, "read,write": false, "": false, "read:write": false,
		} {
			r := s.Get("/both", tokenWithScope(t, scope))
			if pass {
				wantPassed(t, r, "hello alice")
				continue
			}
			want(t, r, 403, "insufficient_scope",
				`Bearer realm="api", error="insufficient_scope", scope="read write", error_description="The access token lacks a required scope"`)
		}
		want(t, s.Get("/both", harness.Bearer(token)), 403, "insufficient_scope",
			`Bearer realm="api", error="insufficient_scope", scope="read write", error_description="The access token lacks a required scope"`)
	})
	t.Run("R6750-14: an empty value and one that is no token68 are invalid_token", func(t *testing.T) {
		for _, value := range []string{"Bearer", "Bearer ", "bearer", "Bearer =", "Bearer \"a\"", "Bearer a b", "Bearer a,b", "Bearer é", "Bearer a=b=c", "Bearer {}"} {
			want(t, s.Get("/me", harness.Header("Authorization", value)), 401, "invalid_token", invalid)
		}
	})
	known := []string{"invalid_request", "invalid_token", "insufficient_scope", "insufficient_user_authentication", "invalid_dpop_proof", "use_dpop_nonce"}
	t.Run("R6750-7 R6750-10 R6750-13: a parameter always, legal characters, registered errors", func(t *testing.T) {
		errors := 0
		for _, options := range [][]harness.Option{nil, with(harness.Bearer("x")), with(tokenWithClaims(t, harness.Claims{"exp": 1})),
			with(tokenWithScope(t, "x")), with(harness.Bearer("a"), harness.Bearer("b")), with(harness.Bearer(token))} {
			for _, path := range []string{"/me", "/read", "/both"} {
				for _, challenge := range s.Get(path, options...).Challenges() {
					if !strings.HasPrefix(challenge, `Bearer realm="`) {
						t.Errorf("no realm first: %s", challenge)
					}
					for _, value := range regexp.MustCompile(`(?:scope|error|error_description)="([^"]*)"`).FindAllStringSubmatch(challenge, -1) {
						if strings.ContainsFunc(value[1], func(r rune) bool { return r < ' ' || r > '~' || r == '\\' }) {
							t.Errorf("illegal character: %s", challenge)
						}
					}
					if name := regexp.MustCompile(`error="([^"]*)"`).FindStringSubmatch(challenge); name != nil {
						errors++
						if !slices.Contains(known, name[1]) {
							t.Errorf("unregistered error: %s", challenge)
						}
					}
				}
			}
		}
		if errors < 10 {
			t.Errorf("%d errors: were they found?", errors)
		}
	})
	for _, scope := range []string{"`a\"b`", "`a\\b`", `"a b"`, "ä", `""`} {
		t.Run("R6750-10: a scope that cannot be sent is refused at load: "+strings.Trim(scope, "`"), func(t *testing.T) {
			for _, line := range []string{"scope ", "any_scope "} {
				if err := s.TryReload(bearerSite("require_auth {\n" + line + scope + "\n}\nrespond ok")); err == nil {
					t.Errorf("%s %s was accepted", line, scope)
				}
			}
		})
	}
}
