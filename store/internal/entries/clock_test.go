package entries

import (
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/store"
)

// TestClockJumps has the clock of the machine jump ahead and back again. Ends
// are dates, as those of tokens are.
func TestClockJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{"an hour": time.Hour, "a day": 24 * time.Hour, "a year": 365 * 24 * time.Hour} {
		t.Run("what is revoked stays so when the clock jumps ahead and back by "+name, func(t *testing.T) {
			set := New()
			defer func() { _ = set.Destruct() }()
			clock, passed := time.Now().Round(0), time.Duration(0)
			set.now, set.passed = func() time.Time { return clock }, func() time.Duration { return passed }
			key, ends := store.KeyOf("revoked"), clock.Add(30*time.Minute)
			found := func() bool {
				_, found := set.Find(store.EntryRevoked, key)
				return found
			}
			put := func(name string, until time.Time) {
				t.Helper()
				if err := set.Put(store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf(name), Until: until}); err != nil {
					t.Fatal(err)
				}
			}
			put("revoked", ends)
			clock, passed = clock.Add(jump), 2*time.Minute
			put("another", clock.Add(time.Hour)) // removes what has ended
			clock = clock.Add(-jump)
			if !found() {
				t.Error("it is forgotten")
			}
			clock, passed = clock.Add(time.Hour), passed+time.Hour
			put("a third", clock.Add(time.Hour))
			if _, kept := set.revoked.Load(key); kept {
				t.Error("it is kept for ever")
			}
		})
	}
	t.Run("what is revoked stays so when the clock stands still", func(t *testing.T) {
		set := New()
		defer func() { _ = set.Destruct() }()
		clock, passed := time.Now(), time.Duration(0)
		set.now, set.passed = func() time.Time { return clock }, func() time.Duration { return passed }
		key := store.KeyOf("revoked")
		if err := set.Put(store.Entry{Kind: store.EntryRevoked, Key: key, Until: clock.Add(time.Minute)}); err != nil {
			t.Fatal(err)
		}
		passed = 2 * time.Minute
		set.sweep(clock)
		if _, found := set.Find(store.EntryRevoked, key); !found {
			t.Error("its end has not come by the clock")
		}
	})
	t.Run("an end in the far future does not outlast the longest revocation", func(t *testing.T) {
		set := New()
		defer func() { _ = set.Destruct() }()
		clock, passed := time.Unix(0, 0), time.Duration(0) // a machine that has no clock yet
		set.now, set.passed = func() time.Time { return clock }, func() time.Duration { return passed }
		key := store.KeyOf("revoked")
		if err := set.Put(store.Entry{Kind: store.EntryRevoked, Key: key, Until: time.Now()}); err != nil {
			t.Fatal(err)
		}
		clock, passed = time.Now().Add(store.KeepRevocation), store.KeepRevocation
		set.sweep(clock)
		if _, kept := set.revoked.Load(key); kept {
			t.Error("it is kept for longer")
		}
	})
}
