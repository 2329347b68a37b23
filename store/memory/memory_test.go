package memory

import (
	"errors"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

func TestStore(t *testing.T) { storetest.Run(t, New()) }

func TestShareOfOne(t *testing.T) {
	t.Run("COST-1: one token takes a twentieth of the room, and leaves the rest", func(t *testing.T) {
		if store.MaxKeys*20 > maxKeys {
			t.Errorf("%d are more than a twentieth of %d", store.MaxKeys, maxKeys)
		}
		storetest.Share(t, store.MaxKeys, New())
	})
}

func TestSurvivesReload(t *testing.T) {
	t.Run("GW-5: what is remembered outlives a configuration", func(t *testing.T) {
		before, after := new(Memory), new(Memory)
		if err := before.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		key := store.KeyOf(t.Name())
		if _, err := before.First(t.Context(), store.KeyOf("token"), key, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := after.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		if err := before.Cleanup(); err != nil {
			t.Fatal(err)
		}
		if fresh, err := after.First(t.Context(), store.KeyOf("token"), key, time.Now().Add(time.Hour)); fresh || err != nil {
			t.Error("it is forgotten", err)
		}
		if err := errors.Join(after.Cleanup(), after.Cleanup()); err != nil {
			t.Error(err)
		}
	})
}

func TestFull(t *testing.T) {
	t.Run("R9449-11: a full memory refuses and forgets nothing", func(t *testing.T) {
		small := newKeySet()
		small.most = 2
		now := time.Now()
		small.now = func() time.Time { return now }
		var passed time.Duration
		small.passed = func() time.Duration { return passed }
		first := func(name string) (bool, error) {
			return small.First(t.Context(), store.KeyOf("token"), store.KeyOf(name), now.Add(time.Minute))
		}
		for _, name := range []string{"a", "b"} {
			if fresh, err := first(name); !fresh || err != nil {
				t.Fatal(fresh, err)
			}
		}
		if _, err := first("c"); !errors.Is(err, errFull) {
			t.Error("a third key found room")
		}
		if fresh, err := first("a"); fresh || err != nil {
			t.Error("a known key is new", err)
		}
		now, passed = now.Add(2*time.Minute), 2*time.Minute
		if fresh, err := first("c"); !fresh || err != nil {
			t.Error("there is no room although all keys have ended", err)
		}
	})
}

// TestClockJumps has the clock of the machine jump ahead and back again.
func TestClockJumps(t *testing.T) {
	t.Run("R9449-11: a used key stays used", func(t *testing.T) {
		s := newKeySet()
		clock, passed := time.Now(), time.Duration(0)
		s.now, s.passed = func() time.Time { return clock }, func() time.Duration { return passed }
		key := store.KeyOf("used")
		first := func() bool {
			fresh, err := s.First(t.Context(), store.KeyOf("token"), key, clock.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			return fresh
		}
		if !first() || first() {
			t.Fatal("it is used once")
		}
		clock = clock.Add(24 * time.Hour)
		if first() {
			t.Error("a clock that jumps ahead brings it back")
		}
		clock = clock.Add(-24 * time.Hour)
		if first() {
			t.Error("a clock that jumps ahead and back brings it back")
		}
		passed = 2 * time.Minute
		if first() {
			t.Error("its end has not come by the clock")
		}
		clock = clock.Add(2 * time.Minute)
		if !first() {
			t.Error("it is kept for ever")
		}
	})
}

// TestShare has an owner whose keys end, and who may have others then.
func TestShare(t *testing.T) {
	t.Run("R9449-11: what has ended makes room for its owner", func(t *testing.T) {
		s := newKeySet()
		s.each = 2
		now := time.Now()
		s.now, s.passed = func() time.Time { return now }, func() time.Duration { return now.Sub(time.Time{}) }
		first := func(key string, keep time.Duration) (bool, error) {
			return s.First(t.Context(), store.KeyOf("token"), store.KeyOf(key), now.Add(keep))
		}
		for key, keep := range map[string]time.Duration{"short": time.Minute, "long": time.Hour} {
			if fresh, err := first(key, keep); !fresh || err != nil {
				t.Fatal(fresh, err)
			}
		}
		if _, err := first("third", time.Minute); !errors.Is(err, errShare) {
			t.Error("a third key found room:", err)
		}
		now = now.Add(2 * time.Minute)
		if fresh, err := first("short", time.Minute); !fresh || err != nil {
			t.Error("a key that has ended is not new:", err)
		}
		if _, err := first("third", time.Minute); !errors.Is(err, errShare) {
			t.Error("a third key found room again:", err)
		}
		now = now.Add(2 * time.Hour)
		if fresh, err := first("third", time.Minute); !fresh || err != nil || len(s.shares) != 1 || s.shares[store.KeyOf("token")].keys != 1 {
			t.Error("after all have ended:", fresh, err, len(s.shares))
		}
	})
}
