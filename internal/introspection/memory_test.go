package introspection

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// newTimed returns a client of an endpoint, on a clock that a test sets.
func newTimed(t *testing.T, body string, change func(*Config)) (*Client, *endpoint, *clock) {
	t.Helper()
	server, clock := newEndpoint(t, says(body)), newClock()
	config := config(server.URL)
	config.now = clock.now
	if change != nil {
		change(&config)
	}
	return newClientOf(t, config), server, clock
}

func TestMemory(t *testing.T) {
	t.Run("R7662-5: an active answer is kept for a minute", func(t *testing.T) {
		client, server, clock := newTimed(t, active, nil)
		expect(t, client, "token", true, false)
		clock.advance(time.Minute - 1)
		if answer := expect(t, client, "token", true, true); answer.Claims["sub"] != "alice" {
			t.Errorf("got %v", answer.Claims)
		}
		clock.advance(1)
		server.answer(says(inactive))
		expect(t, client, "token", false, false)
		expectCalls(t, server, 2)
	})
	t.Run("R7662-5: as long as is configured", func(t *testing.T) {
		client, server, clock := newTimed(t, active, func(c *Config) { c.Cache = 10 * time.Second })
		expect(t, client, "token", true, false)
		clock.advance(10 * time.Second)
		expect(t, client, "token", true, false)
		expectCalls(t, server, 2)
	})
	t.Run("R7662-5: not past exp", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		server.answer(says(fmt.Sprintf(`{"active":true,"exp":%d}`, clock.now().Add(20*time.Second).Unix())))
		expect(t, client, "token", true, false)
		clock.advance(20*time.Second - 1)
		expect(t, client, "token", true, true)
		clock.advance(1)
		expect(t, client, "token", true, false) // what exp means is for the caller to judge
		expect(t, client, "token", true, false)
		expectCalls(t, server, 3)
	})
	t.Run("R7662-5: no longer where exp is far away", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		server.answer(says(fmt.Sprintf(`{"active":true,"exp":%d}`, clock.now().Add(time.Hour).Unix())))
		expect(t, client, "token", true, false)
		clock.advance(time.Minute)
		expect(t, client, "token", true, false)
		expectCalls(t, server, 2)
	})
	t.Run("R7662-5: the time counts from the beginning of the call", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		server.answer(func(w http.ResponseWriter, r *http.Request) {
			clock.advance(3 * time.Second)
			says(active)(w, r)
		})
		expect(t, client, "token", true, false)
		clock.advance(57 * time.Second)
		expect(t, client, "token", true, false)
	})
	t.Run("R7662-5: not at all if that is wanted", func(t *testing.T) {
		client, server, _ := newTimed(t, active, func(c *Config) { c.Cache = 0 })
		expect(t, client, "token", true, false)
		expect(t, client, "token", true, false)
		expectCalls(t, server, 2)
	})
	t.Run("R7662-5: an inactive answer is kept for some seconds", func(t *testing.T) {
		client, server, clock := newTimed(t, inactive, nil)
		expect(t, client, "token", false, false)
		clock.advance(badFor - 1)
		expect(t, client, "token", false, true)
		clock.advance(1)
		server.answer(says(active))
		expect(t, client, "token", true, false)
		expect(t, client, "token", true, true)
	})
	t.Run("R7662-5: bad tokens do not push good ones out", func(t *testing.T) {
		client, server, _ := newTimed(t, active, func(c *Config) { c.maxEntries = 2 })
		expect(t, client, "good", true, false)
		server.answer(says(inactive))
		for i := range 50 {
			expect(t, client, fmt.Sprintf("bad %d", i), false, false)
		}
		client.memory.good.CleanUp()
		expect(t, client, "good", true, true)
	})
	t.Run("R7662-5: what is kept has a bound", func(t *testing.T) {
		client, _, _ := newTimed(t, active, func(c *Config) { c.maxEntries = 5 })
		for i := range 50 {
			expect(t, client, fmt.Sprintf("good %d", i), true, false)
		}
		client.memory.good.CleanUp()
		if size := client.memory.good.EstimatedSize(); size == 0 || size > 5 {
			t.Errorf("%d entries", size)
		}
	})
	t.Run("R7662-5: by default ten thousand of each kind are kept, and a call has five seconds", func(t *testing.T) {
		client, _, _ := newTimed(t, active, nil)
		if good, bad := client.memory.good.GetMaximum(), client.memory.bad.GetMaximum(); good != 10_000 || bad != 10_000 {
			t.Errorf("%d good ones, %d bad ones", good, bad)
		}
		if client.config.timeout != 5*time.Second {
			t.Errorf("a call has %s", client.config.timeout)
		}
	})
	t.Run("R7662-5: a large answer counts as several", func(t *testing.T) {
		large := `{"active":true,"x":"` + strings.Repeat("a", 2*entrySize) + `"}`
		client, _, _ := newTimed(t, large, func(c *Config) { c.maxEntries = 6 })
		for i := range 10 {
			expect(t, client, fmt.Sprintf("good %d", i), true, false)
		}
		client.memory.good.CleanUp()
		if size := client.memory.good.EstimatedSize(); size == 0 || size > 2 {
			t.Errorf("%d entries", size)
		}
	})
	t.Run("R7662-5: the key covers server, client and token, each by itself", func(t *testing.T) {
		seen := make(map[digest]string)
		for _, parts := range [][4]string{
			{"e", "", "c", "t"}, {"", "i", "c", "t"}, {"e", "", "ct", ""}, {"ec", "", "", "t"}, {"e", "", "", "ct"}, {"e", "", "c", "T"},
			{"e", "", "C", "t"}, {"E", "", "c", "t"}, {"", "I", "c", "t"},
		} {
			config := Config{Endpoint: parts[0], Issuer: parts[1], ClientID: parts[2]}
			key := config.digest(parts[3])
			if other, found := seen[key]; found {
				t.Errorf("%q has the key of %s", parts, other)
			}
			seen[key] = fmt.Sprintf("%q", parts)
		}
	})
}

func TestFlights(t *testing.T) {
	t.Run("R7662-8: many requests with one new token cost one call", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		release := server.hold(t)
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				if answer, err := client.Introspect(t.Context(), "token", anonymous); err != nil || !answer.Active {
					t.Errorf("got %+v and error %v", answer, err)
				}
			})
		}
		eventually(t, func() bool { return len(server.calls()) == 1 })
		release()
		all.Wait()
		expectCalls(t, server, 1)
	})
	t.Run("R7662-8: a flight that begins when another has just landed makes no call", func(t *testing.T) {
		client, server, _ := newTimed(t, active, nil)
		expect(t, client, "token", true, false)
		answer, err := client.callAndRemember(t.Context(), client.config.digest("token"), "token", "")
		if err != nil || !answer.Active || !answer.FromCache {
			t.Errorf("got %+v and error %v", answer, err)
		}
		expectCalls(t, server, 1)
	})
	t.Run("R7662-8: a call outlives the request that began it", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		release := server.hold(t)
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() {
			_, err := client.Introspect(ctx, "token", anonymous)
			first <- err
		}()
		eventually(t, func() bool { return len(server.calls()) == 1 })
		cancel()
		if err := <-first; err == nil {
			t.Error("a request whose context has ended got an answer")
		}
		var second sync.WaitGroup
		second.Go(func() { expect(t, client, "token", true, false) })
		time.Sleep(10 * time.Millisecond) // lets it join; if it does not, it finds the answer
		release()
		eventually(t, func() bool {
			_, known, _ := client.memory.recall(client.config.digest("token"), client.config.now())
			return known
		})
		second.Wait()
		expectCalls(t, server, 1)
	})
	t.Run("R7662-8: who makes many calls at once leaves room for others", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		release := server.hold(t)
		var all sync.WaitGroup
		for i := range maxInFlight / 2 {
			all.Go(func() { expect(t, client, fmt.Sprintf("token %d", i), true, false) })
		}
		eventually(t, func() bool { return len(server.calls()) == maxInFlight/2 })
		unavailable := expectUnavailable(t, client, "one more")
		if !strings.Contains(unavailable.Error(), errBusy.Error()) {
			t.Errorf("got %v", unavailable)
		}
		all.Go(func() {
			if answer, err := client.Introspect(t.Context(), "of somebody else", func() string { return "192.0.2.7" }); err != nil || !answer.Active {
				t.Errorf("another client: %+v %v", answer, err)
			}
		})
		eventually(t, func() bool { return len(server.calls()) == maxInFlight/2+1 })
		release()
		all.Wait()
		expect(t, client, "one more", true, false)
	})
}
