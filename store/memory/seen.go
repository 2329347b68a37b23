package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

const (
	// maxKeys bounds the memory, to about 100 MB. Only holders of good tokens
	// can add to it.
	maxKeys = 1_000_000
	// sweepEvery is how often what has ended is removed.
	sweepEvery = time.Second
)

// errFull is an error and no eviction: a key that is forgotten early could be
// used again.
var errFull = errors.New("the store is full")

// seen is a set of keys, each with an end.
type seen struct {
	mutex sync.Mutex
	until map[authn.Key]end
	swept time.Time
	most  int
	now   func() time.Time
	// passed is how long the store is there: unlike the clock it never jumps.
	passed func() time.Duration
}

// end is when a key may be forgotten: when the clock says so, and as much time
// has really passed. A clock that jumps ahead and back would bring used keys
// back otherwise.
type end struct {
	clock  int64 // Unix nanoseconds
	passed time.Duration
}

func newSeen() *seen {
	began := time.Now()
	return &seen{until: make(map[authn.Key]end), most: maxKeys, now: time.Now, passed: func() time.Duration { return time.Since(began) }}
}

// over reports whether a key may be forgotten.
func (s *seen) over(e end, now time.Time) bool {
	return e.clock <= now.UnixNano() && e.passed <= s.passed()
}

// First reports whether the key is new, and remembers it.
func (s *seen) First(_ context.Context, key authn.Key, until time.Time) (bool, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.now()
	if now.Sub(s.swept) >= sweepEvery {
		s.sweep(now)
	}
	if e, known := s.until[key]; known && !s.over(e, now) {
		return false, nil
	}
	if len(s.until) >= s.most {
		return false, errFull
	}
	s.until[key] = end{clock: until.UnixNano(), passed: s.passed() + until.Sub(now)}
	return true, nil
}

func (s *seen) sweep(now time.Time) {
	s.swept = now
	for key, e := range s.until {
		if s.over(e, now) {
			delete(s.until, key)
		}
	}
}
