package entries

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestRevocationsAreNeverForgottenEarly(t *testing.T) {
	set := New()
	set.most = 2
	now := time.Now()
	began := now
	set.now, set.passed = func() time.Time { return now }, func() time.Duration { return now.Sub(began) }
	put := func(name string, until time.Duration) error {
		return set.Put(authn.Entry{Kind: authn.EntryRevoked, Key: authn.KeyOf(name), Until: now.Add(until)})
	}
	if _, found := set.Find(authn.EntryRevoked, authn.KeyOf("a")); found || set.HasRevocations() {
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
		if _, found := set.Find(authn.EntryRevoked, authn.KeyOf(name)); found != want {
			t.Errorf("%s: %t", name, found)
		}
	}
}

func TestBlocksMakeWay(t *testing.T) {
	set := New()
	until := time.Now().Add(time.Hour)
	for i := range MaxBlocked + 1000 {
		if err := set.Put(authn.Entry{Kind: authn.EntryBlocked, Key: authn.KeyOf(strconv.Itoa(i)), Until: until}); err != nil {
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
	entry := func(kind authn.EntryKind, name string, at, until time.Duration) authn.Entry {
		entry := authn.Entry{Kind: kind, Key: authn.KeyOf(name), Until: began.Add(until)}
		if kind == authn.EntryUndo {
			entry.Before = began.Add(at)
		} else {
			entry.Created = began.Add(at)
		}
		return entry
	}
	holds := func(name string) bool {
		_, found := set.Find(authn.EntryRevoked, authn.KeyOf(name))
		return found
	}
	put := func(all ...authn.Entry) {
		t.Helper()
		for _, entry := range all {
			if err := set.Put(entry); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(entry(authn.EntryRevoked, "a", time.Second, time.Hour), entry(authn.EntryUndo, "a", 2*time.Second, time.Hour), entry(authn.EntryRevoked, "a", 2*time.Second, time.Hour))
	if holds("a") || set.HasRevocations() {
		t.Error("what is undone holds")
	}
	put(entry(authn.EntryRevoked, "a", 3*time.Second, time.Hour), entry(authn.EntryUndo, "a", 2*time.Second, time.Hour))
	if !holds("a") || !set.HasRevocations() {
		t.Error("what is revoked after an undo does not hold")
	}
	put(entry(authn.EntryUndo, "b", time.Second, time.Hour))
	if err := set.Put(entry(authn.EntryUndo, "c", time.Second, time.Hour)); !errors.Is(err, ErrFull) {
		t.Errorf("there is room for a third undo: %v", err)
	}
	now = now.Add(2 * time.Hour)
	put(entry(authn.EntryUndo, "c", time.Second, 3*time.Hour))
	if got := len(slices.Collect(set.Undos())); got != 1 {
		t.Errorf("%d undos are kept", got)
	}
}
