// Package storetest tests the contract of package store.
package storetest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/store"
)

// Run tests a store. The instances share one state. One instance is enough.
func Run(t *testing.T, instances ...store.Store) {
	t.Helper()
	first, last := instances[0], instances[len(instances)-1]
	for _, instance := range instances {
		eventually(t, "every instance is ready", func() bool {
			_, err := instance.HasRevocations()
			return err == nil
		})
	}
	t.Run("R9449-11: a key is new once, at any instance", func(t *testing.T) { once(t, instances) })
	t.Run("a key is used once it was new, and Used does not use it", func(t *testing.T) { testUsed(t, instances) })
	t.Run("R9449-11: a key is new again when its time is over", func(t *testing.T) { testExpiry(t, first, last) })
	t.Run("LEAK-6: what is counted is counted together", func(t *testing.T) {
		key := store.KeyOf(t.Name())
		for i := range 6 {
			if got := instances[i%len(instances)].Count(t.Context(), key, time.Minute); got != i+1 {
				t.Errorf("the counter is at %d, want %d", got, i+1)
			}
		}
		last.Reset(t.Context(), key)
		if got := first.Count(t.Context(), key, time.Minute); got != 1 {
			t.Errorf("after a reset it is at %d", got)
		}
	})
	t.Run("LEAK-6: a counter that is left alone starts again", func(t *testing.T) {
		key := store.KeyOf(t.Name())
		first.Count(t.Context(), key, time.Minute)
		eventually(t, "it starts again", func() bool {
			defer time.Sleep(60 * time.Millisecond) // without an addition for longer than its time
			return last.Count(t.Context(), key, 50*time.Millisecond) == 1
		})
	})
	t.Run("a revocation is undone everywhere, as often as it is published", func(t *testing.T) { undone(t, instances) })
	t.Run("the count of revocations changes when one is learned, and not before it is found", func(t *testing.T) {
		counter, counts := last.(store.RevocationCounter)
		if !counts {
			return
		}
		before, entry := counter.LearnedRevocations(), store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf(t.Name()), Until: time.Now().Add(time.Minute)}
		if err := first.Publish(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is counted", func() bool { return counter.LearnedRevocations() != before })
		if _, found := last.Lookup(entry.Kind, entry.Key); !found {
			t.Error("it is counted and not found")
		}
	})
	for _, kind := range []store.EntryKind{store.EntryRevoked, store.EntryBlocked} {
		t.Run(fmt.Sprintf("an entry %s reaches all and ends", kind), func(t *testing.T) { testEntries(t, instances, kind) })
	}
}

// undone tests revocations that end early.
func undone(t *testing.T, instances []store.Store) {
	t.Helper()
	first, last := instances[0], instances[len(instances)-1]
	revocation := store.Revocation{TokenID: t.Name()}
	key, err := revocation.Key()
	if err != nil {
		t.Fatal(err)
	}
	everywhere := func(name string, want bool) {
		t.Helper()
		for _, instance := range instances {
			eventually(t, name, func() bool {
				_, found := instance.Lookup(store.EntryRevoked, key)
				return found == want
			})
		}
	}
	if _, found, err := first.Undo(t.Context(), key); found || err != nil {
		t.Errorf("what was not revoked is undone: %t, %v", found, err)
	}
	for range 3 {
		entry, err := revocation.Entry(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Publish(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
		everywhere("it is revoked", true)
		for _, instance := range instances {
			wantListed(t, instance, entry)
		}
		got, found, err := last.Undo(t.Context(), key)
		if !found || err != nil || got.Key != key || got.About != entry.About {
			t.Errorf("undone is %+v, %t, %v", got, found, err)
		}
		if _, found := last.Lookup(store.EntryRevoked, key); found {
			t.Error("it holds where it was undone")
		}
		everywhere("it is undone", false)
	}
}

func wantListed(t *testing.T, instance store.Store, entry store.Entry) {
	t.Helper()
	listed := 0
	for existing := range instance.Revocations() {
		if existing.Key != entry.Key {
			continue
		}
		listed++
		if existing.About != entry.About || existing.Created.UnixMilli() < entry.Created.UnixMilli() {
			t.Errorf("listed is %+v, published was %+v", existing, entry)
		}
	}
	if listed != 1 {
		t.Errorf("it is listed %d times", listed)
	}
}

func once(t *testing.T, instances []store.Store) {
	t.Helper()
	key, fresh := store.KeyOf(t.Name()), atomic.Int32{}
	var calls sync.WaitGroup
	for i := range 32 {
		calls.Go(func() {
			first, err := instances[i%len(instances)].First(context.Background(), store.KeyOf("token"), key, time.Now().Add(time.Minute))
			if err != nil {
				t.Error(err)
			}
			if first {
				fresh.Add(1)
			}
		})
	}
	calls.Wait()
	if fresh.Load() != 1 {
		t.Errorf("it was new %d times", fresh.Load())
	}
}

// testExpiry waits for the end of a key.
func testExpiry(t *testing.T, first, last store.Store) {
	t.Helper()
	key := store.KeyOf(t.Name())
	if fresh, err := first.First(t.Context(), store.KeyOf("token"), key, time.Now().Add(50*time.Millisecond)); !fresh || err != nil {
		t.Fatal(fresh, err)
	}
	eventually(t, "it is not used any more", func() bool {
		used, err := last.Used(t.Context(), store.KeyOf("token"), key)
		return !used && err == nil
	})
	eventually(t, "it is forgotten", func() bool {
		fresh, err := last.First(t.Context(), store.KeyOf("token"), key, time.Now().Add(time.Minute))
		return fresh && err == nil
	})
}

// testUsed asks each instance for a key before and after it was new.
func testUsed(t *testing.T, instances []store.Store) {
	t.Helper()
	key := store.KeyOf(t.Name())
	want := func(want bool, key store.Key) {
		t.Helper()
		for i, instance := range instances {
			if got, err := instance.Used(t.Context(), store.KeyOf("token"), key); got != want || err != nil {
				t.Errorf("instance %d: used %t, %v, want %t", i, got, err, want)
			}
		}
	}
	want(false, key)
	if fresh, err := instances[0].First(t.Context(), store.KeyOf("token"), key, time.Now().Add(time.Minute)); !fresh || err != nil {
		t.Errorf("a key that Used was asked for is new: %t, %v", fresh, err)
	}
	want(true, key)
	want(false, store.KeyOf(t.Name(), "another"))
}

func testEntries(t *testing.T, instances []store.Store, kind store.EntryKind) {
	t.Helper()
	first, last := instances[0], instances[len(instances)-1]
	now := time.Now()
	long := store.Entry{Kind: kind, Key: store.KeyOf(t.Name(), "long"), Before: now, Until: now.Add(time.Hour)}
	short := store.Entry{Kind: kind, Key: store.KeyOf(t.Name(), "short"), Until: now.Add(300 * time.Millisecond)}
	for _, entry := range []store.Entry{long, short} {
		if err := first.Publish(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the entry is known", func() bool {
		entry, found := last.Lookup(kind, long.Key)
		return found && entry.Before.UnixMilli() == now.UnixMilli() && entry.Until.UnixMilli() == long.Until.UnixMilli()
	})
	eventually(t, "the entry has ended", func() bool {
		_, found := last.Lookup(kind, short.Key)
		return !found && time.Now().After(short.Until)
	})
	if _, found := last.Lookup(kind, store.KeyOf("another")); found {
		t.Error("an entry that was never published is there")
	}
	// Each of these is wider in one thing and narrower in the other.
	shorter, later := long, long
	shorter.Before, shorter.Until = time.Time{}, now.Add(time.Minute)
	later.Before, later.Until = now.Add(-time.Hour), now.Add(2*time.Hour)
	for _, entry := range []store.Entry{shorter, later} {
		if err := first.Publish(t.Context(), entry); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the entry is wider", func() bool {
		entry, found := last.Lookup(kind, long.Key)
		return found && entry.Before.IsZero() && entry.Until.UnixMilli() == later.Until.UnixMilli()
	})
}

// Share adds as many keys as one owner may have, and then one more.
func Share(t *testing.T, most int, instances ...store.Store) {
	t.Helper()
	greedy, modest := store.KeyOf(t.Name(), "greedy"), store.KeyOf(t.Name(), "modest")
	over := time.Now().Add(time.Hour)
	for i := range most {
		if fresh, err := instances[i%len(instances)].First(t.Context(), greedy, store.KeyOf(t.Name(), strconv.Itoa(i)), over); !fresh || err != nil {
			t.Fatalf("key %d is new: %t, %v", i, fresh, err)
		}
	}
	for _, instance := range instances {
		if fresh, err := instance.First(t.Context(), greedy, store.KeyOf(t.Name(), "one more"), over); fresh || err == nil {
			t.Errorf("one more than %d is new: %t, %v", most, fresh, err)
		}
		if fresh, err := instance.First(t.Context(), greedy, store.KeyOf(t.Name(), "0"), over); fresh || err != nil {
			t.Errorf("the first key is new again: %t, %v", fresh, err)
		}
		for name, want := range map[string]bool{"0": true, "one more": false} {
			if used, err := instance.Used(t.Context(), greedy, store.KeyOf(t.Name(), name)); used != want || err != nil {
				t.Errorf("key %q of a full owner is used: %t, %v", name, used, err)
			}
		}
	}
	if fresh, err := instances[0].First(t.Context(), modest, store.KeyOf(t.Name(), "modest"), over); !fresh || err != nil {
		t.Errorf("the key of another owner is new: %t, %v", fresh, err)
	}
}

// Counters adds to more counters than a store may have, and often to one of them. The
// function held returns the number of counters in the store.
func Counters(t *testing.T, most int, count func() int, instances ...store.Store) {
	t.Helper()
	often, last, additions := store.KeyOf(t.Name(), "often"), 0, 0
	for i := range most + max(most/10, 100) {
		instance := instances[i%len(instances)]
		instance.Count(t.Context(), store.KeyOf(t.Name(), strconv.Itoa(i)), time.Hour)
		if i%max(most/200, 10) == 0 {
			last = instance.Count(t.Context(), often, time.Hour)
			additions++
			if got := count(); got > most {
				t.Fatalf("%d counters are held, want %d", got, most)
			}
		}
	}
	if got := count(); got < most*9/10 {
		t.Errorf("%d counters are held, want %d", got, most)
	}
	if last != additions {
		t.Errorf("the counter that is added to often is at %d, want %d", last, additions)
	}
}

func eventually(t *testing.T, condition string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting: %s", condition)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
