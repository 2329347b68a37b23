package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/store"
)

const (
	// maxKeys bounds the memory to about 120 MB. Only holders of valid tokens can add
	// keys, each a twentieth at most.
	maxKeys = 20 * store.MaxKeys
	// sweepEvery is the time between removals of ended keys.
	sweepEvery = time.Second
)

// A full store refuses new keys. An evicted key could be used again.
var (
	errFull  = errors.New("the store is full")
	errShare = errors.New("the share of one token in the store is full")
)

// keySet is a set of keys, each with an end and an owner.
type keySet struct {
	mutex  sync.Mutex
	until  map[store.Key]end
	shares map[store.Key]*share
	swept  time.Time
	most   int // of all owners
	each   int // of one
	now    func() time.Time
	// passed is the age of the store. Unlike the clock it never jumps.
	passed func() time.Duration
}

// end is when a key may be removed: at a time of the clock, and after as much time has
// really passed. A clock that jumps ahead and back must not remove a used key.
type end struct {
	clock  int64 // Unix nanoseconds
	passed time.Duration
	share  *share
}

// share is how many keys an owner has.
type share struct {
	owner store.Key
	keys  int
}

func newKeySet() *keySet {
	began := time.Now()
	return &keySet{
		until: make(map[store.Key]end), shares: make(map[store.Key]*share), most: maxKeys, each: store.MaxKeys,
		now: time.Now, passed: func() time.Duration { return time.Since(began) },
	}
}

// over reports whether a key may be removed.
func (s *keySet) over(e end, now time.Time) bool {
	return e.clock <= now.UnixNano() && e.passed <= s.passed()
}

// First reports whether the key is new, and remembers it.
func (s *keySet) First(_ context.Context, owner, key store.Key, until time.Time) (bool, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.now()
	if now.Sub(s.swept) >= sweepEvery {
		s.sweep(now)
	}
	if e, found := s.until[key]; found && !s.over(e, now) {
		return false, nil
	} else if found {
		s.forget(key, e)
	}
	owned := s.shares[owner]
	switch {
	case owned != nil && owned.keys >= s.each:
		return false, errShare
	case len(s.until) >= s.most:
		return false, errFull
	case owned == nil:
		owned = &share{owner: owner}
		s.shares[owner] = owned
	}
	owned.keys++
	s.until[key] = end{clock: until.UnixNano(), passed: s.passed() + until.Sub(now), share: owned}
	return true, nil
}

// Used reports whether the key is remembered.
func (s *keySet) Used(_ context.Context, _, key store.Key) (bool, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	e, found := s.until[key]
	return found && !s.over(e, s.now()), nil
}

func (s *keySet) sweep(now time.Time) {
	s.swept = now
	for key, e := range s.until {
		if s.over(e, now) {
			s.forget(key, e)
		}
	}
}

func (s *keySet) forget(key store.Key, e end) {
	delete(s.until, key)
	if e.share.keys--; e.share.keys == 0 {
		delete(s.shares, e.share.owner)
	}
}
