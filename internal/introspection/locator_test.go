package introspection

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// issuer is an identity provider whose metadata name the endpoint at a path.
type issuer struct {
	*endpoint
	documents atomic.Int64
	path      atomic.Pointer[string] // nil: no metadata; empty: no endpoint
	answer    atomic.Pointer[http.HandlerFunc]
}

func newIssuer(t *testing.T, path string) *issuer {
	t.Helper()
	i := new(issuer)
	i.name(path)
	i.reply(says(active))
	i.endpoint = newEndpoint(t, func(w http.ResponseWriter, r *http.Request) {
		switch path := i.path.Load(); {
		case r.URL.Path == "/.well-known/oauth-authorization-server" && path != nil:
			i.documents.Add(1)
			member := ""
			if *path != "" {
				member = fmt.Sprintf(`,"introspection_endpoint":%q`, i.URL+*path)
			}
			says(fmt.Sprintf(`{"issuer":%q%s}`, i.URL, member))(w, r)
		case path != nil && r.URL.Path == *path || r.URL.Path == "/one":
			(*i.answer.Load())(w, r)
		default:
			http.NotFound(w, r)
		}
	})
	return i
}

func (i *issuer) name(path string)               { i.path.Store(&path) }
func (i *issuer) reply(handler http.HandlerFunc) { i.answer.Store(&handler) }

func (i *issuer) client(t *testing.T) (*Client, *clock) {
	t.Helper()
	clock := newClock()
	config := config("")
	config.Issuer, config.now = i.URL, clock.now
	return newClientOf(t, config), clock
}

func TestDiscovery(t *testing.T) {
	t.Run("R7662-1: the endpoint is found once, at the first token", func(t *testing.T) {
		up := newIssuer(t, "/one")
		client, _ := up.client(t)
		expectCalls(t, up.endpoint, 0)
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() { expect(t, client, fmt.Sprint("token ", i), true, false) })
		}
		all.Wait()
		expect(t, client, "token", true, false)
		if got := up.documents.Load(); got != 1 {
			t.Errorf("%d documents were read", got)
		}
	})
	t.Run("AVAIL-1: without metadata tokens are undecided, and the metadata are not fetched all the time", func(t *testing.T) {
		up := newIssuer(t, "/one")
		up.path.Store(nil)
		client, clock := up.client(t)
		expectUnavailable(t, client, "token")
		before := len(up.calls())
		expectUnavailable(t, client, "other")
		expectCalls(t, up.endpoint, before)
		up.name("/one")
		clock.advance(2 * time.Second)
		expect(t, client, "token", true, false)
	})
	t.Run("R7662-8: failed calls have the metadata read once a second", func(t *testing.T) {
		up := newIssuer(t, "/one")
		client, clock := up.client(t)
		up.reply(status(500, ""))
		for i := range 100 {
			expectUnavailable(t, client, fmt.Sprint("token", i))
			clock.advance(time.Second / 10)
		}
		if got := up.documents.Load(); got < 9 || got > 11 {
			t.Errorf("%d documents in ten seconds", got)
		}
	})
	t.Run("AVAIL-1: metadata without an endpoint say nothing", func(t *testing.T) {
		client, _ := newIssuer(t, "").client(t)
		if unavailable := expectUnavailable(t, client, "token"); !strings.Contains(unavailable.Error(), "have no introspection_endpoint") {
			t.Errorf("got %v", unavailable)
		}
	})
	t.Run("AVAIL-1: an endpoint that moves is found again", func(t *testing.T) {
		up := newIssuer(t, "/one")
		client, clock := up.client(t)
		expect(t, client, "token", true, false)
		up.reply(status(404, ""))
		up.name("/two")
		expectUnavailable(t, client, "other")
		clock.advance(2 * time.Second)
		up.reply(says(active))
		expect(t, client, "other", true, false)
		if calls := up.calls(); calls[len(calls)-1].uri != "/two" || up.documents.Load() != 2 {
			t.Errorf("asked %s, after %d documents", calls[len(calls)-1].uri, up.documents.Load())
		}
	})
	t.Run("AVAIL-1: without news the former endpoint is asked", func(t *testing.T) {
		up := newIssuer(t, "/one")
		client, clock := up.client(t)
		expect(t, client, "token", true, false)
		up.reply(status(500, ""))
		expectUnavailable(t, client, "other")
		up.path.Store(nil)
		up.reply(says(active))
		clock.advance(2 * time.Second)
		expect(t, client, "other", true, false)
	})
	t.Run("AVAIL-1: a configured endpoint stays the one that is asked", func(t *testing.T) {
		up := newIssuer(t, "/two")
		up.reply(status(500, ""))
		clock, config := newClock(), config(up.URL+"/one")
		config.Issuer, config.now = up.URL, clock.now
		client := newClientOf(t, config)
		expectUnavailable(t, client, "token")
		clock.advance(2 * time.Second)
		up.reply(says(active))
		expect(t, client, "token", true, false)
		if up.documents.Load() != 0 {
			t.Error("the metadata were read")
		}
	})
}
