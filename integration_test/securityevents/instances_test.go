package securityevents

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
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
	r := httptest.NewRequestWithContext(i.t.Context(), http.MethodPost, "http://localhost:8080/auth/events", strings.NewReader(set))
	r.Header.Set("Content-Type", mime)
	return i.serve(r)
}

// get returns the status of the answer to a request with a token.
func (i instance) get(token string) int {
	r := httptest.NewRequestWithContext(i.t.Context(), http.MethodGet, "http://localhost:8080/", http.NoBody)
	harness.Bearer(token)(r)
	return i.serve(r)
}

func (i instance) serve(r *http.Request) int {
	w := &deadlines{httptest.NewRecorder()}
	i.server.ServeHTTP(w, r)
	return w.Code
}

// deadlines is a recorder whose requests can have a time limit.
type deadlines struct{ *httptest.ResponseRecorder }

// SetReadDeadline does nothing: the body is there.
func (*deadlines) SetReadDeadline(time.Time) error { return nil }

// startOnRedis starts a transmitter, and two instances with one Redis.
func startOnRedis(t *testing.T, address string) (transmitter, *harness.Server, instance) {
	t.Helper()
	x := startTransmitter(t)
	config := func(timeout string) string { // another one is another store
		return strings.Replace(x.config(), "auth {\n", "auth {\n store redis redis://"+address+" {\n timeout "+timeout+"\n }\n", 1)
	}
	s := harness.StartWithAdmin(t, config("5s"))
	other := startInstance(t, config("6s"))
	ready := x.Token(old(), harness.Claims{"sub": "ready"})
	harness.Eventually(t, "the revocations are read", func() bool { return s.Get("/", harness.Bearer(ready)).Status == http.StatusOK })
	return x, s, other
}

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
	x, s, other := startOnRedis(t, redis.Addr())
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
		for range 3 { // it is in force here, and the other instances do not know it
			if got := push(s, set); got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
				t.Errorf("status %d, Retry-After %q", got.Status, got.Header.Get("Retry-After"))
			}
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

// TestChaos has two instances with one Redis. Events arrive twice, in another order,
// with a new signature, while Redis is unavailable, and between forged ones. In the end
// each user has lost the tokens from before the last event, and no others.
func TestChaos(t *testing.T) {
	redis := miniredis.RunT(t)
	var down atomic.Bool
	redis.Server().SetPreHook(func(peer *server.Peer, _ string, _ ...string) bool {
		if down.Load() {
			peer.WriteError("LOADING Redis is loading the dataset in memory")
		}
		return down.Load()
	})
	x, s, other := startOnRedis(t, redis.Addr())

	const users, events = 10, 4
	now, dice := time.Now().Truncate(time.Second), rand.New(rand.NewPCG(16, 8935))
	minutes := func(ago int) int64 { return now.Add(-time.Duration(ago) * time.Minute).Unix() }
	user := func(i int) string { return fmt.Sprint("user-", i) }
	last := make([]int, users) // minutes since the last event of each user
	var honest, hostile []func() string
	for i := range users {
		last[i] = 60
		for j := range events {
			ago := 10 + dice.IntN(50)
			last[i] = min(last[i], ago)
			claims := x.claims(caep+"session-revoked", x.user(user(i)), harness.Claims{
				"jti": fmt.Sprint(i, ".", j), "events": map[string]any{caep + "session-revoked": map[string]any{"event_timestamp": minutes(ago)}},
			})
			sign := func(claims harness.Claims) func() string { return func() string { return x.set(claims) } }
			honest = append(honest, sign(claims), sign(claims), sign(claims))
			victim := maps.Clone(claims)
			victim["events"] = map[string]any{caep + "session-revoked": map[string]any{"event_timestamp": now.Unix()}}
			foreign := maps.Clone(claims)
			foreign["sub_id"] = map[string]any{"format": "iss_sub", "iss": "https://other.example", "sub": user(i)}
			hostile = append(hostile, sign(foreign), func() string { // with the signature of another event
				set, forged := x.set(claims), x.set(victim)
				return forged[:strings.LastIndexByte(forged, '.')] + set[strings.LastIndexByte(set, '.'):]
			})
		}
	}
	all := slices.Concat(honest, hostile)
	order := dice.Perm(len(all))
	deliver := func(i int, set string) int {
		if i%2 == 0 {
			return push(s, set).Status
		}
		return other.push(set)
	}
	answers := make(map[int]int)
	var again []int // what the transmitter has to send again
	for step, i := range order {
		switch step {
		case len(order) / 3:
			down.Store(true)
		case len(order) / 2:
			down.Store(false)
		}
		status := deliver(i+step, all[i]())
		answers[status]++
		switch {
		case status == http.StatusServiceUnavailable:
			again = append(again, i)
		case i < len(honest) && status != http.StatusAccepted, i >= len(honest) && status != http.StatusBadRequest:
			t.Errorf("step %d: delivery %d of %d honest ones is answered %d", step, i, len(honest), status)
		}
	}
	if answers[http.StatusServiceUnavailable] == 0 || answers[http.StatusAccepted] == 0 || answers[http.StatusBadRequest] == 0 {
		t.Errorf("the answers are %v", answers)
	}
	harness.Eventually(t, "each event is accepted", func() bool {
		again = slices.DeleteFunc(again, func(i int) bool {
			status := deliver(i, all[i]())
			return status == http.StatusAccepted || i >= len(honest) && status == http.StatusBadRequest
		})
		return len(again) == 0
	})
	token := func(user string, ago int) string { return x.Token(harness.Claims{"sub": user, "iat": minutes(ago)}) }
	for i := range users {
		for ago, revoked := range map[int]bool{last[i] + 1: true, 70: true, last[i] - 1: false, 1: false} {
			wantRevoked(t, s, token(user(i), ago), revoked)
			if got := other.get(token(user(i), ago)); revoked != (got == http.StatusUnauthorized) {
				t.Errorf("%s, %d minutes: the other instance answers %d, want revoked: %t", user(i), ago, got, revoked)
			}
		}
	}
	t.Run("what is undone stays undone when everything is replayed", func(t *testing.T) {
		body := `{"sub": "` + user(0) + `", "issuer": "` + x.Issuer() + `"}`
		if got := s.Do(http.MethodDelete, s.AdminURL("/auth/revocations"), harness.Body("application/json", body)); got.Status != http.StatusOK {
			t.Fatal(got.Status, got.Body)
		}
		for i := range all {
			deliver(i, all[i]())
			deliver(i+1, all[i]())
		}
		wantRevoked(t, s, token(user(0), 70), false)
		wantRevoked(t, s, token(user(1), 70), true)
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
