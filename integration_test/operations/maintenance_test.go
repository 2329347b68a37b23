package operations

import (
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestMaintenance loads a configuration without a gate, and the former one again.
func TestMaintenance(t *testing.T) {
	gates := "{\nauth {\nattempts 2\nbearer corp {" + harness.BearerLines + "}\nbasic ops {\nuser alice " + hash + "\n}\n}\n}\n" +
		"http://localhost:8080 {\nrequire_auth /corp corp\nrequire_auth /ops ops\nrespond in\n}\n"
	const maintenance = "http://localhost:8080 {\nrespond maintenance 503\n}\n"
	s := harness.StartWithAdmin(t, gates)
	token := harness.Bearer(harness.Token(t))
	wantStatus := func(t *testing.T, path string, want int, options ...harness.Option) {
		t.Helper()
		if r := s.Get(path, options...); r.Status != want {
			t.Errorf("%s: %d, want %d", path, r.Status, want)
		}
	}
	wantStatus(t, "/corp", http.StatusOK, token)
	if r := post(s, "/auth/revocations", `{"sub": "alice"}`); r.Status >= 300 {
		t.Fatalf("revoking: %d %s", r.Status, r.Body)
	}
	for range 2 {
		wantStatus(t, "/ops", http.StatusUnauthorized, harness.Basic("alice", "wrong"))
	}
	for name, between := range map[string]string{"a configuration without a gate": maintenance, "a store that several instances share": strings.Replace(gates, "attempts 2", "store redis 127.0.0.1:1", 1)} {
		s.Reload(between)
		s.Reload(gates)
		t.Run("GW-5: a revocation outlives "+name, func(t *testing.T) {
			wantStatus(t, "/corp", http.StatusUnauthorized, token)
		})
		t.Run("GW-5: failed logins outlive "+name, func(t *testing.T) {
			wantStatus(t, "/ops", http.StatusTooManyRequests, harness.Basic("alice", password))
		})
	}
}
