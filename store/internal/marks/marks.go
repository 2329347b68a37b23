// Package marks is the copy of all marks that a process keeps, so that no
// request has to ask for them elsewhere.
package marks

import (
	"errors"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

const (
	// MaxRevoked bounds the revocations, to about 200 MB.
	MaxRevoked = 1_000_000
	// MaxBlocked bounds who is turned away at once, to about 20 MB.
	MaxBlocked = 100_000
	// sweepEvery is how often marks that have ended are removed.
	sweepEvery = time.Minute
)

// ErrFull is the error for a revocation beyond [MaxRevoked].
var ErrFull = errors.New("there is no room for more revocations")

// Set is a set of marks. Reading it takes no lock.
type Set struct {
	now func() time.Time
	// passed is how long the set is there: unlike the clock it never jumps.
	passed  func() time.Duration
	most    int64
	revoked sync.Map // authn.Key to revocation
	blocked *otter.Cache[authn.Key, authn.Mark]

	writing sync.Mutex
	count   atomic.Int64  // of revoked
	swept   time.Duration // see passed
}

// revocation is a mark, and how long it is kept at least, whatever the clock
// says: one that jumps ahead and back would bring back what was revoked
// otherwise.
type revocation struct {
	authn.Mark
	keep time.Duration // see Set.passed
}

// New returns an empty set.
func New() *Set {
	began := time.Now()
	return &Set{
		now: time.Now, passed: func() time.Duration { return time.Since(began) }, most: MaxRevoked,
		blocked: otter.Must(&otter.Options[authn.Key, authn.Mark]{
			MaximumSize: MaxBlocked,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(entry otter.Entry[authn.Key, authn.Mark]) time.Duration {
				return time.Until(entry.Value.Until)
			}),
		}),
	}
}

// Put adds a mark. One that is there already is widened, never narrowed.
func (s *Set) Put(mark authn.Mark) error {
	now := s.now()
	if !mark.Until.After(now) {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	if mark.Kind == authn.MarkBlocked {
		if known, found := s.blocked.GetIfPresent(mark.Key); found {
			mark = known.Wider(mark)
		}
		s.blocked.Set(mark.Key, mark)
		return nil
	}
	if s.passed()-s.swept >= sweepEvery {
		s.sweep(now)
	}
	keep := s.passed() + min(mark.Until.Sub(now), authn.KeepRevocation)
	if known, found := s.revoked.Load(mark.Key); found {
		known := known.(revocation)
		mark, keep = known.Wider(mark), max(known.keep, keep)
	} else if s.count.Load() >= s.most {
		return ErrFull
	} else {
		s.count.Add(1)
	}
	s.revoked.Store(mark.Key, revocation{mark, keep})
	return nil
}

func (s *Set) sweep(now time.Time) {
	s.swept = s.passed()
	s.revoked.Range(func(key, value any) bool {
		if known := value.(revocation); !known.Until.After(now) && known.keep <= s.passed() {
			s.revoked.Delete(key)
			s.count.Add(-1)
		}
		return true
	})
}

// Find finds a mark that has not ended.
func (s *Set) Find(kind authn.MarkKind, key authn.Key) (authn.Mark, bool) {
	if kind == authn.MarkBlocked {
		mark, found := s.blocked.GetIfPresent(key)
		return mark, found && mark.Until.After(s.now())
	}
	if s.count.Load() == 0 {
		return authn.Mark{}, false
	}
	known, found := s.revoked.Load(key)
	if !found {
		return authn.Mark{}, false
	}
	mark := known.(revocation).Mark
	return mark, mark.Until.After(s.now())
}

// Revoking reports whether there are any revocations.
func (s *Set) Revoking() bool { return s.count.Load() > 0 }

// Revoked lists the revocations.
func (s *Set) Revoked() iter.Seq[authn.Mark] {
	return func(yield func(authn.Mark) bool) {
		s.revoked.Range(func(_, value any) bool { return yield(value.(revocation).Mark) })
	}
}

// Close ends what the set does by itself.
func (s *Set) Close() { s.blocked.StopAllGoroutines() }
