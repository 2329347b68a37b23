package answers

import (
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestTable asks for every row of the table of answers.
func TestTable(t *testing.T) {
	s := harness.Start(t, configure("", schemes+"\nprobe probe\nbearer down {\naudience x\njwks http://127.0.0.1:1/jwks\n}", `
		require_auth /me corp
		require_auth /admin corp {
			scope admin
		}
		require_auth /basic ops
		require_auth /key partners
		require_auth /mixed partners ops corp {
			scope admin
		}
		require_auth /role ops {
			role boss
		}
		require_auth /claim corp {
			claim tenant acme
		}
		require_auth /user corp {
			user bob
		}
		require_auth /if corp {
			if false
		}
		require_auth /step corp {
			acr gold
			max_age 5m
		}
		require_auth /down down
		require_auth /probe probe
		respond "hello {http.auth.user.id}"
	`))
	ago := time.Now().Add(-time.Hour).Unix()
	soon := time.Now().Add(time.Hour).Unix()
	token := harness.Token(t)
	other := harness.Sign(t, jwa.HS256, []byte(strings.Repeat("x", 40)), nil)
	admin := `, scope="admin"`
	rows := []struct {
		name       string
		path       string
		options    []harness.Option
		status     int
		code       string
		challenges []string
	}{
		{"R9110-2: no credentials", "/me", nil, 401, "missing_credentials", []string{bare}},
		{"R6750-6: no credentials where a scope is asked for", "/admin", nil, 401, "missing_credentials", []string{bare + admin}},
		{"R9110-10: no credentials, three schemes", "/mixed", nil, 401, "missing_credentials", []string{bare + admin, basic, keyed}},
		{"R6750-8: malformed", "/me", with(harness.Bearer("nonsense")), 401, "invalid_token", []string{invalid}},
		{"R6750-8: bad signature", "/me", with(harness.Bearer(other)), 401, "invalid_token", []string{invalid}},
		{"R6750-8: wrong issuer", "/me", with(tokenWithClaims(t, harness.Claims{"iss": "https://other"})), 401, "invalid_token", []string{invalid}},
		{"R6750-8: wrong audience", "/me", with(tokenWithClaims(t, harness.Claims{"aud": "https://other"})), 401, "invalid_token", []string{invalid}},
		{"R6750-8: not yet valid", "/me", with(tokenWithClaims(t, harness.Claims{"nbf": soon})), 401, "invalid_token", []string{invalid}},
		{"R6750-8: expired, all else verified", "/me", with(tokenWithClaims(t, harness.Claims{"exp": ago})), 401, "expired_token", []string{expired}},
		{"R6750-8: expired and for another audience", "/me", with(tokenWithClaims(t, harness.Claims{"exp": ago, "aud": "x"})), 401, "invalid_token", []string{invalid}},
		{"R9110-2: Basic wrong", "/basic", with(harness.Basic("alice", "guess")), 401, "invalid_credentials", []string{basic}},
		{"KEY-2: API key wrong", "/key", with(key("guess")), 401, "invalid_credentials", []string{keyed}},
		{"R6750-5: two Authorization fields", "/me", with(harness.Bearer(token), harness.Bearer(token)), 400, "invalid_request", []string{twice}},
		{"R6750-5: token and key", "/mixed", with(harness.Bearer(token), key(apiKey)), 400, "invalid_request",
			[]string{strings.Replace(twice, ", error_d", admin+", error_d", 1)}},
		{"KEY-5: key in two places", "/key?api_key=" + apiKey + "x", with(key(apiKey)), 400, "invalid_request", nil},
		{"R6750-9: too little scope", "/admin", with(tokenWithScope(t, "read")), 403, "insufficient_scope", []string{noScope}},
		{"R6750-9: too little scope of a password", "/mixed", with(harness.Basic("alice", password)), 403, "insufficient_scope", nil},
		{"R6750-9: too little scope of a key", "/mixed", with(key(apiKey)), 403, "insufficient_scope", nil},
		{"R6750-12: role unmet", "/role", with(harness.Basic("alice", password)), 403, "insufficient_role", nil},
		{"R6750-12: claim unmet", "/claim", with(harness.Bearer(token)), 403, "access_denied", nil},
		{"R6750-12: user unmet", "/user", with(harness.Bearer(token)), 403, "access_denied", nil},
		{"R6750-12: condition unmet", "/if", with(harness.Bearer(token)), 403, "access_denied", nil},
		{"AVAIL-1: keys cannot be had", "/down", with(harness.Bearer(token)), 503, "temporarily_unavailable", nil},
		{"R6750-8: revoked", "/probe", with(probing("revoked")), 401, "revoked_token", []string{`Probe realm="api"`}},
		{"R9470-1: too old or too weak a login", "/step", with(harness.Bearer(token)), 401, "insufficient_user_authentication",
			[]string{`Bearer realm="api", error="insufficient_user_authentication", acr_values="gold", max_age="300", error_description="A more recent or a stronger login is required"`}},
		{"R9470-1: the login does not suffice for a scheme of another plugin", "/probe", with(probing("session")), 401, "insufficient_user_authentication", []string{`Probe realm="api"`}},
		{"LEAK-6: too many attempts", "/probe", with(probing("attempts")), 429, "too_many_attempts", nil},
	}
	required := map[string]string{"insufficient_scope": `"required_scopes":["admin"]`, "insufficient_role": `"required_roles":["boss"]`}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			r := s.Get(row.path, row.options...)
			p := want(t, r, row.status, row.code, row.challenges...)
			later := r.Header.Values("Retry-After")
			if again := row.status == 503 || row.status == 429; again != (len(later) == 1 && later[0] > "0") {
				t.Errorf("Retry-After %q", later)
			}
			if strings.Contains(r.Body, "required_") != (required[p.Code] != "") || !strings.Contains(r.Body, required[p.Code]) {
				t.Errorf("the body is %s", r.Body)
			}
			for _, cause := range []string{secretCause, "alice", "issuer", "signature", "127.0.0.1", "acme", "bob", "read"} {
				if strings.Contains(r.Body, cause) {
					t.Errorf("the body tells %q: %s", cause, r.Body)
				}
			}
		})
	}
	t.Run("R9110-2: who meets the requirement comes in", func(t *testing.T) {
		wantPassed(t, s.Get("/admin", tokenWithScope(t, "admin")), "hello alice")
		wantPassed(t, s.Get("/basic", harness.Basic("alice", password)), "hello alice")
		wantPassed(t, s.Get("/key", key(apiKey)), "hello partner-a")
		wantPassed(t, s.Get("/mixed", tokenWithScope(t, "admin")), "hello alice")
		wantPassed(t, s.Get("/probe", probing("good")), "hello prober")
	})
	t.Run("R9457-3: the details are the published sentences", func(t *testing.T) {
		if got := problem(t, s.Get("/me")).Detail; got != "Not authenticated" {
			t.Errorf("401: %q", got)
		}
		if got := problem(t, s.Get("/admin", tokenWithScope(t, "read"))).Detail; got != "Not enough permissions" {
			t.Errorf("403: %q", got)
		}
	})
	t.Run("R6750-7: realm off is the bare scheme name, on request", func(t *testing.T) {
		s := harness.Start(t, configure("", "realm off\nbearer corp {"+harness.BearerLines+"}", "require_auth\nrespond ok"))
		want(t, s.Get("/"), 401, "missing_credentials", "Bearer")
	})
}

func with(options ...harness.Option) []harness.Option { return options }

// tokenWithClaims presents a token with claims.
func tokenWithClaims(t *testing.T, claims harness.Claims) harness.Option {
	t.Helper()
	return harness.Bearer(harness.Token(t, claims))
}

func probing(how string) harness.Option { return harness.Header("X-Probe", how) }
