package keyset

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

const providerURL = "https://id.example/keys"

// provider is an identity provider without a network, so that a test of time can
// run on the clock of a synctest bubble.
type provider struct {
	fetches atomic.Int64
	mutex   sync.Mutex
	handler http.HandlerFunc
}

// answer has the provider answer like this from now on; nil takes it down.
func (p *provider) answer(handler http.HandlerFunc) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.handler = handler
}

// publish has the provider publish these keys from now on.
func (p *provider) publish(document []byte) {
	p.answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) })
}

func (p *provider) RoundTrip(request *http.Request) (*http.Response, error) {
	p.fetches.Add(1)
	p.mutex.Lock()
	handler := p.handler
	p.mutex.Unlock()
	if handler == nil {
		return nil, errors.New("connection refused")
	}
	recorder := httptest.NewRecorder()
	handler(recorder, request)
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// hang answers nothing until the caller gives up.
func hang(_ http.ResponseWriter, request *http.Request) { <-request.Context().Done() }

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func body(document []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) }
}

// inBubble runs a test with a provider and a Remote that fetches from it, on a
// clock that advances only when all goroutines wait. A goroutine that outlives
// its context fails the test.
func inBubble(t *testing.T, provider *provider, config RemoteConfig, test func(t *testing.T, remote *Remote)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		config.URL = providerURL
		config.Client = &http.Client{Transport: provider}
		ctx, cancel := context.WithCancel(t.Context())
		remote, err := NewRemote(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		test(t, remote)
		cancel()
		<-remote.stopped
	})
}

// later lets time pass and all that is due in it happen.
func later(delay time.Duration) {
	time.Sleep(delay)
	synctest.Wait()
}

// queryFor is that of the one token with this kid.
func queryFor(kid string) Query {
	return Query{Token: sha256.Sum256([]byte(kid)), KeyID: kid, Algorithm: "EdDSA"}
}

func expect(t *testing.T, source Source, kid string, want int) {
	t.Helper()
	keys, err := source.Find(t.Context(), queryFor(kid))
	if err != nil || len(keys) != want {
		t.Errorf("kid %q: got %v and error %v, want %d keys", kid, keys, err, want)
	}
}

func expectUnavailable(t *testing.T, source Source, kid string) *idp.UnavailableError {
	t.Helper()
	keys, err := source.Find(t.Context(), queryFor(kid))
	unavailable, ok := errors.AsType[*idp.UnavailableError](err)
	if !ok {
		t.Fatalf("kid %q: got %v and error %v, want an UnavailableError", kid, keys, err)
	}
	if wait := unavailable.RetryAfter; wait < time.Second || wait%time.Second != 0 {
		t.Errorf("kid %q: retry after %s", kid, wait)
	}
	if unavailable.Unwrap() == nil {
		t.Errorf("kid %q: no reason", kid)
	}
	return unavailable
}
