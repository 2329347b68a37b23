package attacks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestFloodOfTokens has one address send invented opaque tokens, so many that its slow
// issuer has no time for those of others.
func TestFloodOfTokens(t *testing.T) {
	var waiting atomic.Int32
	release := make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("token") == "honest" {
			_, _ = w.Write([]byte(`{"active": true, "aud": "` + harness.Audience + `", "sub": "alice"}`))
			return
		}
		waiting.Add(1)
		<-release
		_, _ = w.Write([]byte(`{"active": false}`))
	}))
	t.Cleanup(issuer.Close)
	t.Cleanup(letGo)
	s := harness.Start(t, `{
	servers {
		trusted_proxies static 127.0.0.0/8 ::1/128
	}
	auth {
		bearer {
			audience `+harness.Audience+`
			introspection `+issuer.URL+` {
				client_id gateway
				client_secret hush
			}
		}
	}
}
http://localhost:8080 {
	require_auth
	respond "hello {http.auth.user.id}"
}`)
	from := func(address string) harness.Option { return harness.Header("X-Forwarded-For", address) }
	const many = 150
	counts := map[int]int{}
	var mutex sync.Mutex
	var flood sync.WaitGroup
	for i := range many {
		flood.Go(func() {
			r := s.Get("/", harness.Bearer(fmt.Sprintf("made-up-%d", i)), from(fmt.Sprintf("2001:db8::%x", i)))
			mutex.Lock()
			defer mutex.Unlock()
			counts[r.Status]++
		})
	}
	countRefused := func() int {
		mutex.Lock()
		defer mutex.Unlock()
		return counts[http.StatusServiceUnavailable]
	}
	harness.Eventually(t, "each of the flood waits or is refused", func() bool { return int(waiting.Load())+countRefused() == many })
	t.Run("AVAIL-1: the holder of a token at another address is let in", func(t *testing.T) {
		if r := s.Get("/", harness.Bearer("honest"), from("192.0.2.7")); r.Status != http.StatusOK || r.Body != "hello alice" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
	t.Run("AVAIL-1: more from the network of the flood is 503", func(t *testing.T) {
		r := s.Get("/", harness.Bearer("made-up"), from("2001:db8::ffff"))
		if r.Status != http.StatusServiceUnavailable || r.Header.Get("Retry-After") == "" || len(r.Challenges()) != 0 {
			t.Errorf("%d %v", r.Status, r.Header)
		}
	})
	letGo()
	flood.Wait()
	if counts[http.StatusUnauthorized] != int(waiting.Load()) || countRefused() == 0 {
		t.Errorf("the flood was answered %v", counts)
	}
}
