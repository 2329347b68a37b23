package faults

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestUnknownKeysWhileItHangs has many clients come with keys that nobody knows
// while the provider does not answer. All of them leave before it does.
func TestUnknownKeysWhileItHangs(t *testing.T) {
	const clients = 500
	public, private, err := ed25519.GenerateKey(rand.Reader)
	done(t, err)
	var ill atomic.Bool
	var asked atomic.Int64
	well := make(chan struct{})
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ill.Load() {
			asked.Add(1)
			select {
			case <-well:
			case <-r.Context().Done():
				return
			}
		}
		fmt.Fprint(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"`+base64.RawURLEncoding.EncodeToString(public)+`"}]}`)
	}))
	t.Cleanup(provider.Close)
	s := harness.StartWithAdmin(t, "{\nauto_https off\nauth {\nbearer corp {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+provider.URL+"\n}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond ok\n}")
	signed := func(kid string) string { return harness.Sign(t, jwa.EdDSA, private, map[string]any{"kid": kid}) }
	good, claims := signed("1"), harness.Claims{"jti": "new"}
	s.Get("/", harness.Bearer(good)).Want(200, "")
	goroutines := runtime.NumGoroutine()
	ill.Store(true)
	refreshed := make(chan struct{}) // the operator asks too, so that there is a fetch to wait for
	go func() {
		defer close(refreshed)
		if r, err := http.Post(s.AdminURL("/auth/schemes/corp/refresh"), "", nil); err == nil {
			_ = r.Body.Close()
		}
	}()
	harness.Eventually(t, "the provider is asked", func() bool { return asked.Load() == 1 })
	leaving, leave := context.WithCancel(t.Context())
	defer leave()
	var waiting sync.WaitGroup
	var answered atomic.Int64
	transport := new(http.Transport)
	for i := range clients {
		token := signed(fmt.Sprint("unknown-", i))
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
		s.Get("/", harness.Bearer(harness.Sign(t, jwa.EdDSA, private, map[string]any{"kid": "1"}, claims))).Want(200, "")
	})
	t.Run("JWT-5: the provider is asked once for all of them", func(t *testing.T) {
		if asked.Load() != 1 || answered.Load() != 0 {
			t.Errorf("it was asked %d times, and %d had an answer", asked.Load(), answered.Load())
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
