package marks

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
		return set.Put(authn.Mark{Kind: authn.MarkRevoked, Key: authn.KeyOf(name), Until: now.Add(until)})
	}
	if _, found := set.Find(authn.MarkRevoked, authn.KeyOf("a")); found || set.Revoking() {
		t.Error("something is revoked at first")
	}
	if err := errors.Join(put("a", 2*time.Hour), put("b", time.Minute), put("a", time.Hour), put("ended", -time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := put("c", time.Hour); !errors.Is(err, ErrFull) {
		t.Error("a third revocation found room")
	}
	if got := len(slices.Collect(set.Revoked())); got != 2 || !set.Revoking() {
		t.Errorf("%d are listed", got)
	}
	now = now.Add(90 * time.Minute)
	if err := put("c", time.Hour); err != nil {
		t.Error("what has ended takes room:", err)
	}
	for name, want := range map[string]bool{"a": true, "b": false, "c": true} {
		if _, found := set.Find(authn.MarkRevoked, authn.KeyOf(name)); found != want {
			t.Errorf("%s: %t", name, found)
		}
	}
}

func TestBlocksMakeWay(t *testing.T) {
	set := New()
	until := time.Now().Add(time.Hour)
	for i := range MaxBlocked + 1000 {
		if err := set.Put(authn.Mark{Kind: authn.MarkBlocked, Key: authn.KeyOf(strconv.Itoa(i)), Until: until}); err != nil {
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
	defer set.Close()
	set.most = 2
	now := time.Now()
	began := now
	set.now, set.passed = func() time.Time { return now }, func() time.Duration { return now.Sub(began) }
	mark := func(kind authn.MarkKind, name string, at, until time.Duration) authn.Mark {
		mark := authn.Mark{Kind: kind, Key: authn.KeyOf(name), Until: began.Add(until)}
		if kind == authn.MarkUndo {
			mark.Before = began.Add(at)
		} else {
			mark.Created = began.Add(at)
		}
		return mark
	}
	holds := func(name string) bool {
		_, found := set.Find(authn.MarkRevoked, authn.KeyOf(name))
		return found
	}
	put := func(all ...authn.Mark) {
		t.Helper()
		for _, mark := range all {
			if err := set.Put(mark); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(mark(authn.MarkRevoked, "a", time.Second, time.Hour), mark(authn.MarkUndo, "a", 2*time.Second, time.Hour), mark(authn.MarkRevoked, "a", 2*time.Second, time.Hour))
	if holds("a") || set.Revoking() {
		t.Error("what is undone holds")
	}
	put(mark(authn.MarkRevoked, "a", 3*time.Second, time.Hour), mark(authn.MarkUndo, "a", 2*time.Second, time.Hour))
	if !holds("a") || !set.Revoking() {
		t.Error("what is revoked after an undo does not hold")
	}
	put(mark(authn.MarkUndo, "b", time.Second, time.Hour))
	if err := set.Put(mark(authn.MarkUndo, "c", time.Second, time.Hour)); !errors.Is(err, ErrFull) {
		t.Errorf("there is room for a third undo: %v", err)
	}
	now = now.Add(2 * time.Hour)
	put(mark(authn.MarkUndo, "c", time.Second, 3*time.Hour))
	if got := len(slices.Collect(set.Undos())); got != 1 {
		t.Errorf("%d undos are kept", got)
	}
}
