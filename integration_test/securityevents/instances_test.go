package securityevents

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// instance is another instance of the configuration, without a listener. It has
// connections of its own to the store.
type instance struct {
	t      *testing.T
	server *caddyhttp.Server
}

func startInstance(t *testing.T, caddyfile string) instance {
	t.Helper()
	config, err := harness.Adapt(caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	var parsed caddy.Config
	if err := json.Unmarshal(config, &parsed); err != nil {
		t.Fatal(err)
	}
	parsed.Admin = &caddy.AdminConfig{Disabled: true}
	parsed.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output": "discard"}`)}},
	}}
	ctx, err := caddy.ProvisionContext(&parsed)
	if err != nil {
		t.Fatal(err)
	}
	app, err := ctx.App("http")
	if err != nil {
		t.Fatal(err)
	}
	return instance{t, app.(*caddyhttp.App).Servers["srv0"]}
}

// push returns the status of the answer to an event.
func (i instance) push(set string) int {
	i.t.Helper()
	r := httptest.NewRequestWithContext(i.t.Context(), http.MethodPost, "http://localhost:8080/auth/events", strings.NewReader(set))
	r.Header.Set("Content-Type", mime)
	w := &deadlines{httptest.NewRecorder()}
	i.server.ServeHTTP(w, r)
	return w.Code
}

// deadlines is a recorder whose requests can have a time limit.
type deadlines struct{ *httptest.ResponseRecorder }

// SetReadDeadline does nothing: the body is there.
func (*deadlines) SetReadDeadline(time.Time) error { return nil }

// TestReplayAtAnotherInstance has two instances with one Redis behind a load balancer.
func TestReplayAtAnotherInstance(t *testing.T) {
	redis := miniredis.RunT(t)
	var refused atomic.Value // what the arguments of commands contain that Redis refuses
	refused.Store("none")
	redis.Server().SetPreHook(func(peer *server.Peer, _ string, arguments ...string) bool {
		refuse := strings.Contains(strings.Join(arguments, " "), refused.Load().(string))
		if refuse {
			peer.WriteError("OOM command not allowed when used memory > 'maxmemory'.")
		}
		return refuse
	})
	x := startTransmitter(t)
	config := func(timeout string) string {
		return strings.Replace(x.config(), "auth {\n", "auth {\n store redis redis://"+redis.Addr()+" {\n timeout "+timeout+"\n }\n", 1)
	}
	s := harness.StartWithAdmin(t, config("5s"))
	other := startInstance(t, config("6s"))
	ready := x.Token(old(), harness.Claims{"sub": "ready"})
	harness.Eventually(t, "the revocations are read", func() bool { return s.Get("/", harness.Bearer(ready)).Status == http.StatusOK })
	event := func(user string, more ...harness.Claims) harness.Claims {
		return x.claims(caep+"session-revoked", x.user(user), append(more, harness.Claims{"iat": time.Now().Add(-time.Minute).Unix()})...)
	}
	token := func(user string) string { return x.Token(old(), harness.Claims{"sub": user}) }
	undo := func(t *testing.T, user string) {
		t.Helper()
		body := `{"sub": "` + user + `", "issuer": "` + x.Issuer() + `"}`
		if got := s.Do(http.MethodDelete, s.AdminURL("/auth/revocations"), harness.Body("application/json", body)); got.Status != http.StatusOK {
			t.Fatal(got.Status, got.Body)
		}
		wantRevoked(t, s, token(user), false)
	}
	again := func(t *testing.T, set, user string, revoked bool) {
		t.Helper()
		if got := other.push(set); got != http.StatusAccepted {
			t.Errorf("the other instance answers %d", got)
		}
		wantRevoked(t, s, token(user), revoked)
	}
	t.Run("an event that another instance has handled changes nothing", func(t *testing.T) {
		claims := event("alice")
		set := x.set(claims)
		wantAccepted(t, push(s, set))
		wantRevoked(t, s, token("alice"), true)
		undo(t, "alice")
		again(t, set, "alice", false)
		again(t, x.set(claims), "alice", false) // signed anew
	})
	t.Run("another event with the same jti is handled", func(t *testing.T) {
		again(t, x.set(event("bob")), "bob", true)
	})
	t.Run("an event that could not be published is handled when it comes again", func(t *testing.T) {
		set := x.set(event("carol"))
		refused.Store("")
		if got := push(s, set); got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
			t.Errorf("status %d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
		}
		refused.Store("none")
		harness.Eventually(t, "the event is accepted", func() bool { return other.push(set) == http.StatusAccepted })
		wantRevoked(t, s, token("carol"), true)
	})
	t.Run("an event that the store cannot remember is handled", func(t *testing.T) {
		refused.Store(":first:")
		defer refused.Store("none")
		set := x.set(event("dave"))
		harness.Eventually(t, "the event is accepted", func() bool { return push(s, set).Status == http.StatusAccepted })
		wantRevoked(t, s, token("dave"), true)
		if !strings.Contains(s.LogText(), "other instances may apply the event again") {
			t.Error("the log does not say it")
		}
	})
}

// TestReplayAfterReload has an event again after a reload that replaced the receiver.
func TestReplayAfterReload(t *testing.T) {
	x := startTransmitter(t)
	s := harness.StartWithAdmin(t, x.config())
	set := x.set(x.claims(caep+"session-revoked", x.user("alice")))
	wantAccepted(t, push(s, set))
	s.Reload(strings.Replace(x.config(), "respond ok", "respond again", 1))
	wantAccepted(t, push(s, set))
	if got := resultsOf(s); !slices.Equal(got, []any{"accepted", "duplicate"}) {
		t.Error(got)
	}
}
