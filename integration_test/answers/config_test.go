package answers

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestJSON has the same site as JSON and as a Caddyfile.
func TestJSON(t *testing.T) {
	caddyfile := configure("", "realm here\ntrace_id {http.request.header.X-Own}\nscope_implies admin read\n"+schemes, `
		route {
			require_auth /any corp ops partners {
				any_scope read write
				forward X-User {http.auth.user.id}
			}
			require_auth /hard corp {
				scope admin
				role boss
				claim tenant acme
				user alice
				if `+"`user == \"alice\"`"+`
				hide
			}
			require_auth /soft corp {
				optional
				error_format text
			}
			respond "{http.auth.user.id} {http.request.header.X-User}"
		}
	`)
	config := fmt.Sprintf(`{"apps": {
		"auth": {
			"realm": "here", "trace_id": ["{http.request.header.X-Own}"], "scope_implies": {"admin": ["read"]},
			"schemes": {
				"corp": {"scheme": "bearer", "issuer": %q, "audiences": [%q], "hmac_secret": %q},
				"ops": {"scheme": "basic", "users": [{"name": "alice", "hash": %q, "scopes": ["read"], "roles": ["operator"]}]},
				"partners": {"scheme": "api_key", "from": [{"in": "header", "name": "X-API-Key"}, {"in": "query", "name": "api_key"}, {"in": "cookie", "name": "api_key"}],
					"keys": [{"id": "partner-a", "digest": "sha256:%s", "scopes": ["read"]}]}
			}
		},
		"http": {"servers": {"api": {"listen": [":8080"], "automatic_https": {"disable": true}, "routes": [
			{"match": [{"path": ["/any"]}], "handle": [{"handler": "require_auth", "schemes": ["corp", "ops", "partners"], "any_scopes": ["read", "write"], "forward": {"X-User": "{http.auth.user.id}"}}]},
			{"match": [{"path": ["/hard"]}], "handle": [{"handler": "require_auth", "schemes": ["corp"], "scopes": ["admin"], "roles": ["boss"],
				"claims": [{"path": "tenant", "values": ["acme"]}], "users": ["alice"], "if": "user == \"alice\"", "hide": "denied"}]},
			{"match": [{"path": ["/soft"]}], "handle": [{"handler": "require_auth", "schemes": ["corp"], "optional": true, "error_format": "text"}]},
			{"handle": [{"handler": "static_response", "body": "{http.auth.user.id} {http.request.header.X-User}"}]}
		]}}}
	}}`, harness.Issuer, harness.Audience, harness.Secret, passwordHash, digest(apiKey))
	full := harness.Claims{"scope": "admin", "roles": []string{"boss"}, "tenant": "acme"}
	requests := [][]harness.Option{
		nil, with(harness.Bearer("x")), with(tokenWithScope(t, "read")), with(tokenWithScope(t, "admin")), with(tokenWithScope(t, "none")), with(tokenWithClaims(t, full)), with(harness.Basic("alice", password)),
		with(harness.Basic("alice", "x")), with(key(apiKey)), with(key("x")), with(harness.Bearer("x"), key("y")), with(harness.Header("X-User", "mallory")),
	}
	send := func(s *harness.Server) string {
		var all strings.Builder
		for _, path := range []string{"/any", "/hard", "/soft", "/open"} {
			for i, options := range requests {
				r := s.Get(path, append(options, harness.Header("X-Own", "trace"))...)
				r.Header.Del("Date")
				fmt.Fprintln(&all, path, i, r.Status, r.Header, r.Body)
			}
		}
		return all.String()
	}
	t.Run("R9110-2: JSON behaves like the Caddyfile", func(t *testing.T) {
		a := send(harness.Start(t, caddyfile))
		b := send(harness.StartJSON(t, config))
		if a != b {
			t.Errorf("Caddyfile\n%s\nJSON\n%s", a, b)
		}
		for _, status := range []string{" 200 ", " 400 ", " 401 ", " 403 ", " 404 "} {
			if !strings.Contains(b, status) {
				t.Errorf("no answer was%s", status)
			}
		}
	})
}

// TestReload has a provider of keys that goes away.
func TestReload(t *testing.T) {
	p := harness.StartProvider(t)
	config := func(body string) string {
		return configure("", "bearer corp {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+p.KeySet()+"\n}", "require_auth\nrespond "+body)
	}
	token := harness.Bearer(p.Token())
	t.Run("GW-5: keys survive a reload while their provider is down", func(t *testing.T) {
		s := harness.Start(t, config("one"))
		harness.Eventually(t, "the keys are there", func() bool { return s.Get("/", token).Status == 200 })
		p.Down()
		for i := range 3 {
			s.Reload(config(strconv.Itoa(i)))
			wantPassed(t, s.Get("/", token), strconv.Itoa(i))
			want(t, s.Get("/"), 401, "missing_credentials", bare)
		}
	})
	t.Run("GW-5 AVAIL-1: what never had keys begins closed", func(t *testing.T) {
		s := harness.Start(t, strings.ReplaceAll(config("one"), p.KeySet(), p.URL("/other")))
		want(t, s.Get("/", token), 503, "temporarily_unavailable")
	})
}
