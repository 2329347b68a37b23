package redis

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestFloodOfGuesses has more guesses than there are connections, before any of
// them is counted: nobody was told to wait yet.
func TestFloodOfGuesses(t *testing.T) {
	for name, guess := range map[string]func(one *shared, key authn.Key){
		"counters": func(one *shared, key authn.Key) { one.Count(t.Context(), key, time.Hour) },
		"blocks": func(one *shared, key authn.Key) {
			_ = one.Announce(t.Context(), authn.Mark{Kind: authn.MarkBlocked, Key: key, Until: time.Now().Add(time.Hour)})
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
			var guessing sync.WaitGroup
			for i := range 10 * maxConnections {
				guessing.Go(func() { guess(one, authn.KeyOf("guess", strconv.Itoa(i))) })
			}
			eventually(t, "guesses wait for Redis", func() bool { return under.Load() >= maxGuesses })
			for i := range 100 {
				if fresh, err := one.First(t.Context(), authn.KeyOf("token"), authn.KeyOf("proof", strconv.Itoa(i)), time.Now().Add(time.Hour)); !fresh || err != nil {
					t.Errorf("proof %d is new: %t, %v", i, fresh, err)
					break
				}
			}
			close(slow)
			guessing.Wait()
			if err := one.outage.err(); err != nil {
				t.Errorf("a flood is taken for an outage: %v", err)
			}
		})
	}
}
