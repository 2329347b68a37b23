package entries

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/store"
)

func TestRevocationsAreNeverForgottenEarly(t *testing.T) {
	set := New()
	set.most = 2
	now := time.Now()
	began := now
	set.now, set.passed = func() time.Time { return now }, func() time.Duration { return now.Sub(began) }
	put := func(name string, until time.Duration) error {
		return set.Put(store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf(name), Until: now.Add(until)})
	}
	if _, found := set.Find(store.EntryRevoked, store.KeyOf("a")); found || set.HasRevocations() {
		t.Error("something is revoked at first")
	}
	if err := errors.Join(put("a", 2*time.Hour), put("b", time.Minute), put("a", time.Hour), put("ended", -time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := put("c", time.Hour); !errors.Is(err, ErrFull) {
		t.Error("a third revocation found room")
	}
	if got := len(slices.Collect(set.Revoked())); got != 2 || !set.HasRevocations() {
		t.Errorf("%d are listed", got)
	}
	now = now.Add(90 * time.Minute)
	if err := put("c", time.Hour); err != nil {
		t.Error("what has ended takes room:", err)
	}
	for name, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, found := set.Find(store.EntryRevoked, store.KeyOf(name)); found != want {
			t.Errorf("%s: %t", name, found)
		}
	}
}

func TestBlocksMakeWay(t *testing.T) {
	set := New()
	until := time.Now().Add(time.Hour)
	for i := range MaxBlocked + 1000 {
		if err := set.Put(store.Entry{Kind: store.EntryBlocked, Key: store.KeyOf(strconv.Itoa(i)), Until: until}); err != nil {
			t.Fatal(err)
		}
	}
	set.blocked.CleanUp()
	if got := set.blocked.EstimatedSize(); got > MaxBlocked {
		t.Errorf("%d are held", got)
	}
}

func TestUndo(t *testing.T) {
	set := New()
	defer func() { _ = set.Destruct() }()
	set.most = 2
	now := time.Now()
	began := now
	set.now, set.passed = func() time.Time { return now }, func() time.Duration { return now.Sub(began) }
	entry := func(kind store.EntryKind, name string, at, until time.Duration) store.Entry {
		entry := store.Entry{Kind: kind, Key: store.KeyOf(name), Until: began.Add(until)}
		if kind == store.EntryUndo {
			entry.Before = began.Add(at)
		} else {
			entry.Created = began.Add(at)
		}
		return entry
	}
	holds := func(name string) bool {
		_, found := set.Find(store.EntryRevoked, store.KeyOf(name))
		return found
	}
	put := func(all ...store.Entry) {
		t.Helper()
		for _, entry := range all {
			if err := set.Put(entry); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(entry(store.EntryRevoked, "a", time.Second, time.Hour), entry(store.EntryUndo, "a", 2*time.Second, time.Hour), entry(store.EntryRevoked, "a", 2*time.Second, time.Hour))
	if holds("a") || set.HasRevocations() {
		t.Error("what is undone holds")
	}
	put(entry(store.EntryRevoked, "a", 3*time.Second, time.Hour), entry(store.EntryUndo, "a", 2*time.Second, time.Hour))
	if !holds("a") || !set.HasRevocations() {
		t.Error("what is revoked after an undo does not hold")
	}
	put(entry(store.EntryUndo, "b", time.Second, time.Hour))
	if err := set.Put(entry(store.EntryUndo, "c", time.Second, time.Hour)); !errors.Is(err, ErrFull) {
		t.Errorf("there is room for a third undo: %v", err)
	}
	now = now.Add(2 * time.Hour)
	put(entry(store.EntryUndo, "c", time.Second, 3*time.Hour))
	if got := len(slices.Collect(set.Undos())); got != 1 {
		t.Errorf("%d undos are kept", got)
	}
}
