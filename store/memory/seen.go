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
	until map[authn.Key]int64 // Unix nanoseconds
	swept time.Time
	most  int
	now   func() time.Time
}

func newSeen() *seen {
	return &seen{until: make(map[authn.Key]int64), most: maxKeys, now: time.Now}
}

// First reports whether the key is new, and remembers it.
func (s *seen) First(_ context.Context, key authn.Key, until time.Time) (bool, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.now()
	if now.Sub(s.swept) >= sweepEvery {
		s.sweep(now)
	}
	if end, known := s.until[key]; known && end > now.UnixNano() {
		return false, nil
	}
	if len(s.until) >= s.most {
		return false, errFull
	}
	s.until[key] = until.UnixNano()
	return true, nil
}

func (s *seen) sweep(now time.Time) {
	s.swept = now
	for key, end := range s.until {
		if end <= now.UnixNano() {
			delete(s.until, key)
		}
	}
}
