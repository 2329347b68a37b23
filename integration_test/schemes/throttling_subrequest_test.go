package schemes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestThrottlingOfSubrequests guesses through a page that includes a guarded one.
// Caddy trusts this machine as a proxy, so a sub-request's X-Forwarded-For would
// count, which is the visitor's.
func TestThrottlingOfSubrequests(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte(`[{{httpInclude "/secret"}}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	site := "root " + root + "\nrequire_auth /secret\ntemplates\nrespond /secret \"hello {http.auth.user.id}\"\nfile_server"
	start := func(t *testing.T) (s *harness.Server, verified func() int) {
		s = startGuarded(t, "attempts 5 {\n per_client 7\n}", oneUser(t), site)
		return s, func() int {
			count := 0
			for _, decision := range s.Decisions() {
				if decision["status"] == 401.0 {
					count++
				}
			}
			return count
		}
	}
	t.Run("LEAK-6: a new X-Forwarded-For each time judges no more guesses for an account", func(t *testing.T) {
		s, verified := start(t)
		for i := range 20 {
			s.Get("/", from(fmt.Sprintf("203.0.113.%d", i)), encoded(fmt.Sprintf("alice:guess%d", i)))
		}
		if n := verified(); n != 5 {
			t.Errorf("%d judged", n)
		}
		for _, decision := range s.Decisions() {
			if _, logged := decision["client_ip"]; logged {
				t.Fatalf("the record has an address that the visitor chose: %v", decision)
			}
		}
	})
	t.Run("LEAK-6: a visitor who guesses for many accounts locks no other visitor out", func(t *testing.T) {
		s, verified := start(t)
		for i := range 20 {
			s.Get("/", from("203.0.113.9"), encoded(fmt.Sprintf("user%d:guess", i)))
		}
		if n := verified(); n != 20 {
			t.Errorf("%d judged", n)
		}
		if got := s.Get("/", from("203.0.113.9"), encoded("alice:secret")); got.Status != 200 || !strings.Contains(got.Body, "[hello alice]") {
			t.Errorf("status %d, body %s", got.Status, got.Body)
		}
	})
	t.Run("LEAK-6: a client that guesses directly locks no visitor out, and the other way round", func(t *testing.T) {
		s, _ := start(t)
		for i := range 6 {
			s.Get("/secret", from("203.0.113.9"), encoded(fmt.Sprintf("alice:guess%d", i)))
			s.Get("/", from("203.0.113.9"), encoded(fmt.Sprintf("bob:guess%d", i)))
		}
		if got := s.Get("/", from("203.0.113.9"), encoded("alice:secret")); got.Status != 200 {
			t.Errorf("through the page: status %d", got.Status)
		}
		if got := s.Get("/secret", from("203.0.113.7"), encoded("bob:builder")); got.Status != 200 {
			t.Errorf("directly: status %d", got.Status)
		}
	})
}
