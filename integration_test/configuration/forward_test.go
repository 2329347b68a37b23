package configuration

import (
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestForwardedNames has field names that an upstream could take for one another.
func TestForwardedNames(t *testing.T) {
	s := harness.Start(t, "{\nauth {\nbearer {"+harness.BearerLines+"}\n}\n}\nhttp://localhost:8080 {\nrequire_auth {\nforward X-User {http.auth.user.id}\n}\n"+
		"respond \"[{header.X-User}]\"\n}\n")
	for name, subject := range map[string]string{
		"a space behind": "alice ", "a space in front": " alice", "a tab": "alice\t", "a space that is not ASCII": "alice\u00a0", "a line break": "alice\n",
	} {
		t.Run("R9700-3: "+name+" does not make the name of another", func(t *testing.T) {
			if got := s.Get("/", harness.Bearer(harness.Token(t, harness.Claims{"sub": subject}))); got.Body == "[alice]" {
				t.Errorf("%q goes on as alice", subject)
			}
		})
	}
	t.Run("R9700-3: alice is alice", func(t *testing.T) {
		if got := s.Get("/", harness.Bearer(harness.Token(t))); got.Body != "[alice]" {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}
