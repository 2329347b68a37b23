package schemes

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestConcurrentAttempts makes many attempts at the same time. A judged one is 401.
func TestConcurrentAttempts(t *testing.T) {
	for name, test := range map[string]struct {
		attempts, most int
		attempt        func(i int) []harness.Option
	}{
		"COUNT-1: one client for one account": {60, 3, func(i int) []harness.Option {
			return []harness.Option{from("192.0.2.1"), harness.Basic("alice", fmt.Sprint("guess", i))}
		}},
		"COUNT-1: one client for many accounts": {100, 5, func(i int) []harness.Option {
			return []harness.Option{from("192.0.2.2"), harness.Basic(fmt.Sprint("user", i), "guess")}
		}},
		"COUNT-1: many clients for one account": {150, 6, func(i int) []harness.Option {
			return []harness.Option{from(fmt.Sprint("198.51.100.", i)), harness.Basic("bob", fmt.Sprint("guess", i))}
		}},
		"COUNT-1: many keys of one client": {200, 5, func(i int) []harness.Option {
			return []harness.Option{from("192.0.2.3"), harness.Header("X-API-Key", fmt.Sprint("guess", i))}
		}},
		"COUNT-1: one key many times": {60, 3, func(int) []harness.Option {
			return []harness.Option{from("192.0.2.4"), harness.Header("X-API-Key", "guess")}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startGuarded(t, "attempts 3 {\nper_client 5\nper_account 6\n}",
				oneUser(t)+"\napi_key keys {\nkey a sha256:"+strings.Repeat("a", 64)+"\n}", "require_auth ops keys")
			var verified atomic.Int64
			var all sync.WaitGroup
			for i := range test.attempts {
				all.Go(func() {
					if s.Get("/", test.attempt(i)...).Status == http.StatusUnauthorized {
						verified.Add(1)
					}
				})
			}
			all.Wait()
			if got := int(verified.Load()); got > test.most || got == 0 {
				t.Errorf("%d were judged, want %d at most", got, test.most)
			}
		})
	}
}
