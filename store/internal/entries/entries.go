// Package entries is the copy of all entries of a store in this process, so that no
// request waits for another server.
package entries

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/store"
)

const (
	// MaxRevoked bounds the revocations, to about 400 MB. It also bounds the undone
	// revocations.
	MaxRevoked = 1_000_000
	// MaxBlocked bounds the blocks, to about 20 MB.
	MaxBlocked = 100_000
	// sweepEvery is the time between removals of ended entries.
	sweepEvery = time.Minute
)

// ErrFull is the error for a revocation beyond [MaxRevoked].
var ErrFull = errors.New("the store is full of revocations")

// Set is a set of entries. Reading it takes no lock.
type Set struct {
	now func() time.Time
	// passed is the age of the set. Unlike the clock it never jumps.
	passed  func() time.Duration
	most    int64
	revoked sync.Map // store.Key to kept
	blocked *otter.Cache[store.Key, store.Entry]

	writing sync.Mutex
	count   atomic.Int64 // of revoked
	learned atomic.Uint64
	undo    map[store.Key]heldEntry
	swept   time.Duration // see passed
}

// heldEntry is an entry, and the shortest time for which the set keeps it. A clock that
// jumps ahead and back must not remove a revocation.
type heldEntry struct {
	store.Entry
	keep time.Duration // see Set.passed
}

// New returns an empty set.
func New() *Set {
	began := time.Now()
	return &Set{
		now: time.Now, passed: func() time.Duration { return time.Since(began) }, most: MaxRevoked, undo: make(map[store.Key]heldEntry),
		blocked: otter.Must(&otter.Options[store.Key, store.Entry]{
			MaximumSize: MaxBlocked,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(entry otter.Entry[store.Key, store.Entry]) time.Duration {
				return time.Until(entry.Value.Until)
			}),
		}),
	}
}

// Put adds an entry. It widens an existing one and never narrows it.
func (s *Set) Put(entry store.Entry) error {
	now := s.now()
	if !entry.Until.After(now) {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if entry.Kind == store.EntryBlocked {
		if existing, found := s.blocked.GetIfPresent(entry.Key); found {
			entry = existing.Wider(entry)
		}
		s.blocked.Set(entry.Key, entry)
		return nil
	}
	if s.passed()-s.swept >= sweepEvery {
		s.sweep(now)
	}
	fresh := heldEntry{entry, s.passed() + min(entry.Until.Sub(now), store.KeepRevocation)}
	if entry.Kind == store.EntryUndo {
		return s.putUndo(fresh)
	}
	return s.putRevoked(fresh)
}

// putUndo keeps an undo, and removes the revocation that it ends.
func (s *Set) putUndo(fresh heldEntry) error {
	if existing, found := s.undo[fresh.Key]; found {
		fresh = existing.wider(fresh)
	} else if int64(len(s.undo)) >= s.most {
		return ErrFull
	}
	s.undo[fresh.Key] = fresh
	if existing, found := s.revoked.Load(fresh.Key); found && fresh.Ends(existing.(heldEntry).Entry) {
		s.remove(fresh.Key)
	}
	return nil
}

// putRevoked keeps a revocation, unless an undo has ended it. A revocation without an
// instant of creation comes from an instance that knows no undo, and stays in force.
func (s *Set) putRevoked(fresh heldEntry) error {
	if undo, found := s.undo[fresh.Key]; found && fresh.Created.IsZero() {
		fresh.Created = undo.Before.Add(time.Millisecond)
	} else if found && undo.Ends(fresh.Entry) {
		return nil
	}
	if existing, found := s.revoked.Load(fresh.Key); found {
		fresh = existing.(heldEntry).wider(fresh)
	} else if s.count.Load() >= s.most {
		return ErrFull
	} else {
		s.count.Add(1)
	}
	s.revoked.Store(fresh.Key, fresh)
	s.learned.Add(1)
	return nil
}

func (k heldEntry) wider(other heldEntry) heldEntry {
	return heldEntry{k.Wider(other.Entry), max(k.keep, other.keep)}
}

func (s *Set) remove(key store.Key) {
	s.revoked.Delete(key)
	s.count.Add(-1)
}

func (s *Set) sweep(now time.Time) {
	s.swept = s.passed()
	over := func(existing heldEntry) bool { return !existing.Until.After(now) && existing.keep <= s.swept }
	s.revoked.Range(func(key, value any) bool {
		if over(value.(heldEntry)) {
			s.remove(key.(store.Key))
		}
		return true
	})
	maps.DeleteFunc(s.undo, func(_ store.Key, existing heldEntry) bool { return over(existing) })
}

// Remove removes a revocation that has not ended, and returns it.
func (s *Set) Remove(key store.Key) (store.Entry, bool) {
	s.writing.Lock()
	defer s.writing.Unlock()
	entry, found := s.Find(store.EntryRevoked, key)
	if found {
		s.remove(key)
	}
	return entry, found
}

// AfterUndo dates a revocation that is published now after an earlier undo of the same
// key, because the clocks of instances differ.
func (s *Set) AfterUndo(entry store.Entry) store.Entry {
	s.writing.Lock()
	defer s.writing.Unlock()
	if undo, found := s.undo[entry.Key]; found && undo.Ends(entry) {
		entry.Created = undo.Before.Add(time.Millisecond)
	}
	return entry
}

// Find returns an entry that has not ended.
func (s *Set) Find(kind store.EntryKind, key store.Key) (store.Entry, bool) {
	if kind == store.EntryBlocked {
		entry, found := s.blocked.GetIfPresent(key)
		return entry, found && entry.Until.After(s.now())
	}
	if kind == store.EntryUndo {
		s.writing.Lock()
		defer s.writing.Unlock()
		existing, found := s.undo[key]
		return existing.Entry, found && existing.Until.After(s.now())
	}
	if s.count.Load() == 0 {
		return store.Entry{}, false
	}
	existing, found := s.revoked.Load(key)
	if !found {
		return store.Entry{}, false
	}
	entry := existing.(heldEntry).Entry
	return entry, entry.Until.After(s.now())
}

// HasRevocations reports whether any revocation exists.
func (s *Set) HasRevocations() bool { return s.count.Load() > 0 }

// Learned counts the revocations that were added or widened.
func (s *Set) Learned() uint64 { return s.learned.Load() }

// Revoked lists the revocations that have not ended.
func (s *Set) Revoked() iter.Seq[store.Entry] {
	return func(yield func(store.Entry) bool) {
		now := s.now()
		s.revoked.Range(func(_, value any) bool {
			entry := value.(heldEntry).Entry
			return !entry.Until.After(now) || yield(entry)
		})
	}
}

// Undos lists the entries that ended revocations early.
func (s *Set) Undos() iter.Seq[store.Entry] {
	s.writing.Lock()
	defer s.writing.Unlock()
	all := slices.Collect(maps.Values(s.undo))
	return func(yield func(store.Entry) bool) {
		for _, existing := range all {
			if !yield(existing.Entry) {
				return
			}
		}
	}
}

// Destruct ends the goroutines of the set.
func (s *Set) Destruct() error {
	s.blocked.StopAllGoroutines()
	return nil
}
