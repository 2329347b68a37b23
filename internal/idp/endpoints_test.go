package idp

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// transport answers in the process, as the clock of a bubble needs it.
type transport http.HandlerFunc

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	t(recorder, r)
	return recorder.Result(), nil
}

func TestEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var fetches atomic.Int32
		endpoints := &Endpoints{Provider: Provider{Issuer: "https://idp.example", Client: &http.Client{Transport: transport(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/.well-known/oauth-authorization-server" {
				http.NotFound(w, r)
				return
			}
			if fetches.Add(1); down.Load() {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = fmt.Fprintf(w, `{"issuer": "https://idp.example", "token_endpoint": "https://idp.example/token/%d"}`, fetches.Load())
		})}}}
		find := func(want string) {
			t.Helper()
			got, err := endpoints.Find(t.Context(), "token_endpoint")
			if got != want || (err != nil) != (want == "") {
				t.Errorf("got %q (%v), want %q after %d fetches", got, err, want, fetches.Load())
			}
		}
		down.Store(true)
		find("")
		find("") // the provider is not asked again at once
		if fetches.Load() != 1 {
			t.Errorf("%d fetches while it is down", fetches.Load())
		}
		down.Store(false)
		time.Sleep(maxMetadataPause)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { find("https://idp.example/token/2") })
		}
		all.Wait()
		down.Store(true)
		time.Sleep(metadataAge)
		find("https://idp.example/token/2")
		down.Store(false)
		time.Sleep(maxMetadataPause)
		find("https://idp.example/token/4")
	})
}
