// Package store defines what a store keeps: keys that are used once, counters of
// failed attempts, and entries such as revocations.
//
// Other plugins add stores by registering modules in the namespace auth.stores that
// implement [Store]. This package is all they need to import.
package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"time"
)

// Namespace is the namespace of the modules that implement [Store].
const Namespace = "auth.stores"

// Store keeps what must outlive a configuration and what several instances may
// share. Its methods are safe for concurrent use.
type Store interface {
	// First reports whether an owner's key is new, and remembers it until the given
	// time. It is an error if the store cannot know, or if the owner has [MaxKeys]
	// keys. The caller must deny the request then.
	First(ctx context.Context, owner, key Key, until time.Time) (bool, error)

	// Used reports whether First remembers an owner's key. It is an error if the store
	// cannot know.
	Used(ctx context.Context, owner, key Key) (bool, error)

	// Count adds one to a counter and returns its value. A counter starts again at 1
	// after the given time without an addition. With more than [MaxCounters] the
	// store removes some that are seldom added to. A counter of this process
	// continues alone while shared state is unavailable: throttling must not deny
	// all requests.
	Count(ctx context.Context, key Key, forget time.Duration) int

	// Reset sets a counter to zero.
	Reset(ctx context.Context, key Key)

	// Publish adds an entry at all instances that share the store. After an error
	// some of them may never know it.
	Publish(ctx context.Context, entry Entry) error

	// Lookup returns an entry that has not ended. Every request calls it, so it never
	// waits: the process has a copy of all entries.
	Lookup(kind EntryKind, key Key) (Entry, bool)

	// Undo ends a revocation early at all instances that share the store, and returns
	// it. It reports false if the store does not have the revocation. After an error
	// the revocation stays in force.
	Undo(ctx context.Context, key Key) (Entry, bool, error)

	// Revocations lists the revocations that have not ended, in any order.
	Revocations() iter.Seq[Entry]

	// HasRevocations reports whether any revocation exists. It is an error until the
	// copy of the entries is complete: until then a missing entry proves nothing.
	HasRevocations() (bool, error)
}

// MaxKeys bounds the keys of one owner in a [Store]. A busy client stays below it,
// and no owner can fill the store.
const MaxKeys = 50_000

// MaxCounters bounds the counters in a [Store].
const MaxCounters = 200_000

// Health is implemented by stores that may be unavailable.
type Health interface {
	// Healthy reports whether the state is shared now. The documentation of a store
	// says what happens during an outage.
	Healthy() bool
}

// RevocationCounter is implemented by stores that count the revocations that they have
// learned. As long as the number stays the same, none was added. Without it each running
// response with `end_streams` looks its revocations up twice a second.
type RevocationCounter interface {
	LearnedRevocations() uint64
}

// SharedKeys is implemented by stores of several instances. Each instance has its own
// key that signs identities, and all publish the keys of each other.
type SharedKeys interface {
	// ShareKeys stores public keys by their ID, for a time from now on. It removes those
	// that have ended. It is an error if there are more than [MaxSharedKeys].
	ShareKeys(ctx context.Context, keys map[string]string, keep time.Duration) error

	// KeysOfAll returns the keys of all instances that have not ended.
	KeysOfAll(ctx context.Context) (map[string]string, error)
}

// MaxSharedKeys bounds the public keys in a [SharedKeys].
const MaxSharedKeys = 500

// Key is a digest that names something in a [Store].
type Key = [sha256.Size]byte

// KeyOf returns the key of a kind and of parts that are unique within the kind. The
// digest includes the length of each part, so no two lists of parts collide.
func KeyOf(kind string, parts ...string) Key {
	var room [256]byte
	text := append(room[:0], kind...)
	for _, part := range parts {
		text = binary.BigEndian.AppendUint32(text, uint32(len(part)))
		text = append(text, part...)
	}
	return sha256.Sum256(text)
}

// EntryKind is the meaning of an [Entry].
type EntryKind string

// The kinds of entries.
const (
	// EntryRevoked is a revocation. A store never removes one early: publishing one
	// more to a full store is an error.
	EntryRevoked EntryKind = "revoked"
	// EntryBlocked blocks a client after failed attempts. A full store removes old
	// ones.
	EntryBlocked EntryKind = "blocked"
	// EntryUndo ends a revocation of the same key that was created at Before or
	// earlier. A store keeps it until that revocation would have ended, so that no
	// instance restores the revocation.
	EntryUndo EntryKind = "undo"
)

// Entry is what all instances have to know at once.
type Entry struct {
	Kind EntryKind
	Key  Key

	// Before limits a revocation to credentials that were issued earlier, to the
	// millisecond. Zero means no limit.
	Before time.Time

	// Until is when the entry ends, to the millisecond.
	Until time.Time

	// Created is when a revocation was published, to the millisecond. It is zero for
	// one of an older instance.
	Created time.Time

	// About says what a revocation concerns, see [Revocation.Entry] and [ReadAbout].
	// It is empty for one of an older instance.
	About string
}

// Covers reports whether the entry covers a credential that was issued at an
// instant. It covers one whose instant is unknown.
func (e Entry) Covers(issued time.Time) bool {
	return e.Before.IsZero() || issued.IsZero() || issued.Before(e.Before)
}

// Wider returns an entry that covers everything that either of the two covers.
func (e Entry) Wider(other Entry) Entry {
	if other.Until.After(e.Until) {
		e.Until = other.Until
	}
	if other.Before.IsZero() || !e.Before.IsZero() && other.Before.After(e.Before) {
		e.Before = other.Before
	}
	if e.About == "" || other.About != "" && other.Created.After(e.Created) {
		e.About = other.About
	}
	if other.Created.After(e.Created) {
		e.Created = other.Created
	}
	return e
}

// Ends reports whether an undo ends a revocation of the same key.
func (e Entry) Ends(revocation Entry) bool {
	return e.Kind == EntryUndo && !revocation.Created.After(e.Before)
}

// User is implemented by schemes that need a store. They get it before the first
// request.
type User interface {
	UseStore(Store)
}
