package authn

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"time"
)

// StoreNamespace is where Caddy finds the modules that implement [Store].
const StoreNamespace = "auth.stores"

// Store is the memory that must outlive a configuration, and that several
// instances may share. It is used by many requests at once.
type Store interface {
	// First reports whether an owner's key has not been seen before, and
	// remembers it until the given time. An error means that this cannot be said,
	// also because the owner has [MaxKeys] of them; whoever asks must then not let
	// the request pass.
	First(ctx context.Context, owner, key Key, until time.Time) (bool, error)

	// Count adds one to a counter and returns what it stands at. A counter
	// that was not added to for the given time begins anew. Of more than
	// [MaxCounters] some that are seldom added to make way. Where the state is
	// shared and out of reach the counter of this process goes on alone:
	// counting protects against guessing, and must not turn everybody away.
	Count(ctx context.Context, key Key, forget time.Duration) int

	// Reset lets a counter begin anew.
	Reset(ctx context.Context, key Key)

	// Publish tells all who share the store of a mark. An error means that
	// some of them may never hear of it.
	Publish(ctx context.Context, entry Entry) error

	// Lookup finds a mark that has not ended. It is asked for every request
	// and waits for nobody: the process keeps a copy of all marks.
	Lookup(kind EntryKind, key Key) (Entry, bool)

	// Undo ends a revocation early, for all who share the store, and returns
	// it. It reports false where the store has no such revocation. After an
	// error the revocation still holds.
	Undo(ctx context.Context, key Key) (Entry, bool, error)

	// Revocations lists the revocations that have not ended, in no order.
	Revocations() iter.Seq[Entry]

	// HasRevocations reports whether there are any revocations, so that nobody has
	// to look for one in vain. It is an error until the copy of the marks has
	// been read once: what depends on a mark not being there cannot be decided
	// before.
	HasRevocations() (bool, error)
}

// MaxKeys is how many keys of one owner a [Store] remembers at once: so many
// that a busy client never notices, and so few that none takes the room of all.
const MaxKeys = 50_000

// MaxCounters is how many counters a [Store] keeps.
const MaxCounters = 200_000

// StoreHealth is implemented by stores that may be out of reach.
type StoreHealth interface {
	// Healthy reports whether the state is shared at this moment. While it is
	// not, what the documentation of the store says of an outage holds.
	Healthy() bool
}

// Key names something in a [Store] without saying what.
type Key = [sha256.Size]byte

// KeyOf makes the key of something out of its kind and what tells it apart
// from others of that kind. The lengths keep one list of parts from reading as
// another.
func KeyOf(kind string, parts ...string) Key {
	var room [256]byte
	text := append(room[:0], kind...)
	for _, part := range parts {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part)))
		text = append(text, part...)
	}
	return sha256.Sum256(text)
}

// EntryKind says what a [Entry] means.
type EntryKind string

// The kinds of marks.
const (
	// EntryRevoked ends credentials before their time. Such marks are never
	// forgotten early: when there is no room, announcing one is an error.
	EntryRevoked EntryKind = "revoked"
	// MarkBlocked turns away who guessed. When there is no room, old ones make
	// way for new ones.
	EntryBlocked EntryKind = "blocked"
	// EntryUndo ends a revocation of the same key that was created at Before or
	// earlier. A store keeps it until that revocation would have ended, so that
	// no instance brings the revocation back.
	EntryUndo EntryKind = "undo"
)

// Entry is something that all instances have to know at once.
type Entry struct {
	Kind EntryKind
	Key  Key

	// Before limits a revocation to what was issued earlier, to the
	// millisecond. Zero: whenever it was issued.
	Before time.Time

	// Until is when the mark ends, to the millisecond.
	Until time.Time

	// Created is when a revocation was announced, to the millisecond. Zero: an
	// instance announced it that does not write this down.
	Created time.Time

	// About says what a revocation concerns, see [Revocation.Entry] and
	// [ReadAbout]. Empty: an instance announced it that does not write this down.
	About string
}

// Covers reports whether a credential that was issued at an instant is meant.
// One that does not say when it was issued is.
func (m Entry) Covers(issued time.Time) bool {
	return m.Before.IsZero() || issued.IsZero() || issued.Before(m.Before)
}

// Wider returns the mark that covers what both of them do, at least.
func (m Entry) Wider(other Entry) Entry {
	if other.Until.After(m.Until) {
		m.Until = other.Until
	}
	if other.Before.IsZero() || !m.Before.IsZero() && other.Before.After(m.Before) {
		m.Before = other.Before
	}
	if m.About == "" || other.About != "" && other.Created.After(m.Created) {
		m.About = other.About
	}
	if other.Created.After(m.Created) {
		m.Created = other.Created
	}
	return m
}

// Ends reports whether an undo ends a revocation of the same key.
func (m Entry) Ends(revocation Entry) bool {
	return m.Kind == EntryUndo && !revocation.Created.After(m.Before)
}

// StoreUser is implemented by schemes that need a store. They are given one
// before the first request.
type StoreUser interface {
	UseStore(Store)
}
