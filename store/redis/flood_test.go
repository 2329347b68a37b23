package redis

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/excorp/caddy-require-auth/store"
)

// TestFloodOfGuesses has more guesses than connections before any of them is counted,
// so no client waits yet.
func TestFloodOfGuesses(t *testing.T) {
	for name, guess := range map[string]func(one *shared, key store.Key){
		"counters": func(one *shared, key store.Key) { one.Count(t.Context(), key, time.Hour) },
		"blocks": func(one *shared, key store.Key) {
			_ = one.Publish(t.Context(), store.Entry{Kind: store.EntryBlocked, Key: key, Until: time.Now().Add(time.Hour)})
		},
	} {
		t.Run("LEAK-6: "+name+" leave connections for proofs", func(t *testing.T) {
			redis := start(t)
			one, _ := instance(t, Redis{Addresses: []string{redis.Addr()}})
			eventually(t, "it is ready", one.Healthy)
			var under atomic.Int64
			slow := make(chan struct{})
			redis.Server().SetPreHook(func(_ *server.Peer, command string, arguments ...string) bool {
				proof := slices.ContainsFunc(arguments, func(argument string) bool { return strings.Contains(argument, ":first:") })
				if !proof && (command == "MULTI" || command == "EVALSHA" || command == "EVAL") {
					under.Add(1)
					<-slow
				}
				return false
			})
			var attempts sync.WaitGroup
			for i := range 10 * maxConnections {
				attempts.Go(func() { guess(one, store.KeyOf("guess", strconv.Itoa(i))) })
			}
			eventually(t, "guesses wait for Redis", func() bool { return under.Load() >= maxGuesses })
			for i := range 100 {
				if fresh, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof", strconv.Itoa(i)), time.Now().Add(time.Hour)); !fresh || err != nil {
					t.Errorf("proof %d is new: %t, %v", i, fresh, err)
					break
				}
			}
			close(slow)
			attempts.Wait()
			if err := one.outage.err(); err != nil {
				t.Errorf("a flood is taken for an outage: %v", err)
			}
		})
	}
}

// TestFloodOfProofs has more proofs than there are connections, before Redis
// answers any of them.
func TestFloodOfProofs(t *testing.T) {
	t.Run("COUNT-1: proofs leave connections for counters", func(t *testing.T) {
		redis := start(t)
		one, _ := instance(t, Redis{Addresses: []string{redis.Addr()}})
		eventually(t, "it is ready", one.Healthy)
		var under atomic.Int64
		slow := make(chan struct{})
		redis.Server().SetPreHook(func(_ *server.Peer, _ string, arguments ...string) bool {
			if slices.ContainsFunc(arguments, func(argument string) bool { return strings.Contains(argument, ":first:") }) {
				under.Add(1)
				<-slow
			}
			return false
		})
		var proving sync.WaitGroup
		for i := range 10 * maxConnections {
			proving.Go(func() {
				_, _ = one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof", strconv.Itoa(i)), time.Now().Add(time.Hour))
			})
		}
		eventually(t, "proofs wait for Redis", func() bool { return under.Load() >= maxProofs })
		for want := range 100 {
			if got := one.Count(t.Context(), store.KeyOf("guess"), time.Hour); got != want+1 {
				t.Fatalf("the counter stands at %d, want %d", got, want+1)
			}
		}
		if got := redis.HGet(one.keys.counters(), encode(store.KeyOf("guess"))); !strings.HasPrefix(got, "100 ") {
			t.Errorf("Redis has %q", got)
		}
		close(slow)
		proving.Wait()
		if err := one.outage.err(); err != nil {
			t.Errorf("a flood is taken for an outage: %v", err)
		}
	})
}

// TestSlowGuesses has a Redis that is too busy with counters to answer in time.
func TestSlowGuesses(t *testing.T) {
	one := instances(t, start(t), 1)[0]
	fail := func(cause error) {
		for range 10 * tolerated {
			if err := one.doForGuess(t.Context(), func(context.Context) error { return cause }); !errors.Is(err, cause) {
				t.Errorf("it failed with %v", err)
			}
		}
	}
	t.Run("COUNT-1: counters that take too long end no proof", func(t *testing.T) {
		fail(context.DeadlineExceeded)
		if fresh, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), time.Now().Add(time.Hour)); !fresh || err != nil {
			t.Errorf("a proof is new: %t, %v", fresh, err)
		}
	})
	t.Run("COUNT-1: a lane that is full lets no other call in, and is not an outage", func(t *testing.T) {
		full := make(lane, 1)
		if err := full.enter(time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := full.enter(time.Millisecond); !errors.Is(err, errCrowded) {
			t.Errorf("a second call has room: %v", err)
		}
		full.leave()
		if err := full.enter(time.Hour); err != nil {
			t.Error(err)
		}
	})
}
