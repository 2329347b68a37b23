package attacks

import (
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestFloodOfPasswords has one address send more passwords than the gate can hash, each
// for another name. Then another client logs in.
func TestFloodOfPasswords(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), 10)
	if err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, `{
	servers {
		trusted_proxies static 127.0.0.0/8 ::1/128
	}
	auth {
		attempts off
		basic {
			user alice `+string(hash)+`
		}
	}
}
http://localhost:8080 {
	require_auth
	respond "hello {http.auth.user.id}"
}`)
	from := func(address string) harness.Option { return harness.Header("X-Forwarded-For", address) }
	var hashed, failures atomic.Int32
	var flood sync.WaitGroup
	many := 90 + runtime.GOMAXPROCS(0)
	for i := range many {
		flood.Go(func() {
			switch s.Get("/", harness.Basic(fmt.Sprint("somebody-", i), "guess"), from("203.0.113.9")).Status {
			case http.StatusUnauthorized:
				hashed.Add(1)
			case http.StatusServiceUnavailable:
				failures.Add(1)
			}
		})
	}
	harness.Eventually(t, "some of the flood is turned away, and the others wait", func() bool { return failures.Load() > 0 })
	before := hashed.Load()
	t.Run("LEAK-6: another client does not wait for the flood", func(t *testing.T) {
		r := s.Get("/", harness.Basic("alice", password), from("192.0.2.7"))
		if r.Status != http.StatusOK || r.Body != "hello alice" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
		// One was being hashed for each slot, and then it was somebody else's turn.
		if during := hashed.Load() - before; int(during) > 5+2*runtime.GOMAXPROCS(0) {
			t.Errorf("%d of the flood came first", during)
		}
	})
	flood.Wait()
	if int(hashed.Load()+failures.Load()) != many {
		t.Errorf("%d hashed and %d refused of %d", hashed.Load(), failures.Load(), many)
	}
}
