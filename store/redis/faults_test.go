package redis

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/excorp/caddy-require-auth/store"
)

func TestResetElsewhereAppliesWhenAlone(t *testing.T) {
	wire := layWire(t, start(t).Addr())
	all := group(t, wire.address, 2)
	key := store.KeyOf("client")
	for range 5 {
		all[0].Count(t.Context(), key, time.Minute)
	}
	all[1].Reset(t.Context(), key)
	all[0].Count(t.Context(), key, time.Minute)
	wire.cut()
	if got := all[0].Count(t.Context(), key, time.Minute); got != 2 {
		t.Errorf("alone it stands at %d, want 2", got)
	}
}

// TestAnswerIsLost has a connection that breaks when a key was stored and
// before that is said. Asked again, Redis would say that it was there.
func TestAnswerIsLost(t *testing.T) {
	server := start(t)
	wire := layWire(t, server.Addr())
	one, _ := instance(t, Redis{Addresses: []string{wire.address}})
	eventually(t, "it is ready", one.Healthy)
	if _, err := one.First(t.Context(), store.KeyOf("another"), store.KeyOf("proof"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err) // Redis knows the script from now on
	}
	wire.lose("caddy-auth:first:" + encode(store.KeyOf("token")))
	key := store.KeyOf("proof")
	fresh, err := one.First(t.Context(), store.KeyOf("token"), key, time.Now().Add(time.Hour))
	if fresh || err == nil {
		t.Errorf("it is not known whether it was new, and %t %v is said", fresh, err)
	}
	eventually(t, "it was stored", func() bool { return server.Exists(one.keys.first(store.KeyOf("token"))) })
}

// TestListeningIsRefused has a Redis where everything can be read and no change
// be waited for: it must not be read all the time.
func TestListeningIsRefused(t *testing.T) {
	t.Parallel()
	redis := start(t)
	var failures atomic.Int32
	redis.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
		if command != "XREAD" {
			return false
		}
		failures.Add(1)
		peer.WriteError("NOPERM this user has no permissions to run the 'xread' command")
		return true
	})
	began := time.Now()
	instance(t, Redis{Addresses: []string{redis.Addr()}})
	eventually(t, "it has tried five times", func() bool { return failures.Load() >= 5 })
	if elapsed := time.Since(began); elapsed < 4*retryAfter/2 {
		t.Errorf("five attempts in %s", elapsed)
	}
}
