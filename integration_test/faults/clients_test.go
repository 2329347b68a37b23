package faults

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestUnknownKeysWhileItHangs has many clients send unknown key ids while the provider
// does not answer. All of them leave before it does.
func TestUnknownKeysWhileItHangs(t *testing.T) {
	const clients = 500
	var requests atomic.Int64
	well := make(chan struct{})
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, "{\nauto_https off\nauth {\nbearer corp {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+p.KeySet()+"\n}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond ok\n}")
	good, claims := p.Token(), harness.Claims{"jti": "new"}
	s.Get("/", harness.Bearer(good)).Want(200, "")
	goroutines := runtime.NumGoroutine()
	p.Answer(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		select {
		case <-well:
		case <-r.Context().Done():
		}
	})
	refreshed := make(chan struct{}) // the operator asks too, so that there is a fetch to wait for
	go func() {
		defer close(refreshed)
		if r, err := http.Post(s.AdminURL("/auth/schemes/corp/refresh"), "", nil); err == nil {
			_ = r.Body.Close()
		}
	}()
	harness.Eventually(t, "the provider is asked", func() bool { return requests.Load() == 1 })
	leaving, leave := context.WithCancel(t.Context())
	defer leave()
	var waiting sync.WaitGroup
	var answered atomic.Int64
	transport := new(http.Transport)
	for i := range clients {
		token := p.Sign(fmt.Sprint("unknown-", i))
		waiting.Go(func() {
			r, err := http.NewRequestWithContext(leaving, http.MethodGet, s.URL("/"), nil)
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+token)
			if response, err := transport.RoundTrip(r); err == nil {
				answered.Add(1)
				_ = response.Body.Close()
			}
		})
	}
	harness.Eventually(t, "all of them wait", func() bool { return runtime.NumGoroutine() >= goroutines+5*clients }) // three of the client and two of the server each
	t.Run("JWT-5: a known key is not waited for, whether its token is known or new", func(t *testing.T) {
		s.Get("/", harness.Bearer(good)).Want(200, "")
		s.Get("/", harness.Bearer(p.Token(claims))).Want(200, "")
	})
	t.Run("JWT-5: the provider is asked once for all of them", func(t *testing.T) {
		if requests.Load() != 1 || answered.Load() != 0 {
			t.Errorf("it was asked %d times, and %d had an answer", requests.Load(), answered.Load())
		}
	})
	leave()
	waiting.Wait()
	t.Run("GW-5: nothing is left of those who leave", func(t *testing.T) {
		harness.Eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() < goroutines+20 })
	})
	close(well)
	<-refreshed
}
