package operations

import (
	"net/http"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestReportOnly(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, `
{
	auth {
		bearer corp {
			issuer `+harness.Issuer+`
			audience `+harness.Audience+`
			jwks `+p.KeySet()+`
		}
	}
}
http://localhost:8080 {
	require_auth /reported/* corp {
		report_only
		scope   admin
		forward X-User {http.auth.user.id}
	}
	require_auth /reported/guarded corp
	respond "{http.request.header.X-User}|{http.request.method}"
}
`)
	alice := harness.Bearer(p.Token(harness.Claims{"sub": "alice"}))
	admin := harness.Bearer(p.Token(harness.Claims{"sub": "root", "scope": "admin"}))
	spoofed := harness.Header("X-User", "root")
	for _, c := range []struct {
		name, path, body, decision, code string
		status                           int
		options                          []harness.Option
	}{
		{"no credential", "/reported/x", "|GET", "would_deny", "missing_credentials", 200, []harness.Option{spoofed}},
		{"a bad token", "/reported/x", "|GET", "would_deny", "invalid_token", 200, []harness.Option{spoofed, harness.Bearer("a.b.c")}},
		{"too little scope", "/reported/x", "|GET", "would_deny", "insufficient_scope", 200, []harness.Option{spoofed, alice}},
		{"enough scope", "/reported/x", "root|GET", "admitted", "", 200, []harness.Option{admin}},
	} {
		t.Run(c.name, func(t *testing.T) {
			logged, counted := len(s.Decisions()), value(t, s, "caddy_auth_decisions_total", "decision="+c.decision, "code="+c.code)
			response := s.Get(c.path, c.options...)
			if response.Status != c.status || response.Body != c.body {
				t.Errorf("got %d %q", response.Status, response.Body)
			}
			if got := value(t, s, "caddy_auth_decisions_total", "decision="+c.decision, "code="+c.code); got != counted+1 {
				t.Errorf("counted %v, before %v", got, counted)
			}
			records := s.Decisions()[logged:]
			if len(records) != 1 || records[0]["decision"] != c.decision || c.code != "" && records[0]["code"] != c.code {
				t.Errorf("logged %v", records)
			}
			for _, member := range []string{"method", "uri", "host", "reason", "client_ip"} { // which `caddy auth report` reads
				if c.code != "" && records[0][member] == nil {
					t.Errorf("the record has no %s: %v", member, records[0])
				}
			}
		})
	}
	t.Run("another gate still denies", func(t *testing.T) {
		if response := s.Get("/reported/guarded"); response.Status != http.StatusUnauthorized {
			t.Errorf("got %d", response.Status)
		}
	})
	t.Run("a preflight goes on", func(t *testing.T) {
		response := s.Do(http.MethodOptions, s.URL("/reported/x"), harness.Header("Origin", "https://web.example"), harness.Header("Access-Control-Request-Method", "GET"))
		if response.Status != http.StatusOK || response.Body != "|OPTIONS" {
			t.Errorf("got %d %q", response.Status, response.Body)
		}
	})
	t.Run("the log warns at load", func(t *testing.T) {
		for _, record := range s.Decisions() {
			if record["level"] == "warn" && record["msg"] == "report_only: this gate lets every request pass" {
				return
			}
		}
		t.Error("no warning")
	})
}
