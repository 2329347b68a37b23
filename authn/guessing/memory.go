package guessing

import (
	"crypto/rand"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

const (
	// belongFor is how long a client and an account belong together after a
	// success, and belongAtMost how many of them are remembered, in about 15 MB.
	belongFor    = 7 * 24 * time.Hour
	belongAtMost = 100_000
	// acceptedFor is how long a good credential is remembered, and
	// acceptedAtMost how many of them are.
	acceptedFor    = time.Hour
	acceptedAtMost = 10_000
	// failuresAtMost bounds the counters whose last value is remembered, in about
	// half a MB.
	failuresAtMost = 4096
)

// Memory is what a process remembers: which clients and accounts belong together,
// which credentials were accepted, and the last values of counters. It outlives
// configurations; every instance has its own.
type Memory struct {
	secret string
	// together are the pairs, with the time of the last new beginning.
	together *otter.Cache[authn.Key, time.Time]
	// good are digests of credentials, with their pairs.
	good *otter.Cache[authn.Key, authn.Key]
	// failures are counters of the store, as this process last saw them. They say
	// how many attempts may be in flight.
	failures *otter.Cache[authn.Key, int]
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{
		secret: rand.Text(),
		together: otter.Must(&otter.Options[authn.Key, time.Time]{
			MaximumSize: belongAtMost, ExpiryCalculator: otter.ExpiryWriting[authn.Key, time.Time](belongFor),
		}),
		good: otter.Must(&otter.Options[authn.Key, authn.Key]{
			MaximumSize: acceptedAtMost, ExpiryCalculator: otter.ExpiryWriting[authn.Key, authn.Key](acceptedFor),
		}),
		failures: otter.Must(&otter.Options[authn.Key, int]{
			MaximumSize: failuresAtMost, ExpiryCalculator: otter.ExpiryWriting[authn.Key, int](maxForget),
		}),
	}
}

// Destruct ends the memory once no configuration uses it.
func (m *Memory) Destruct() error {
	m.together.StopAllGoroutines()
	m.good.StopAllGoroutines()
	m.failures.StopAllGoroutines()
	return nil
}

// room returns how many attempts may be in flight for a counter, at least one.
// Where old counters make way, one that is not remembered may have failures.
func (m *Memory) room(counter authn.Key, most int) int {
	failures, remembered := m.failures.GetIfPresent(counter)
	if !remembered && m.failures.EstimatedSize() > failuresAtMost*3/4 {
		return 1
	}
	return max(1, most-failures)
}

// digest stands for a credential from an address: without the secret, which never
// leaves the process, nothing can be tried against it.
func (m *Memory) digest(a Attempt) authn.Key {
	return authn.KeyOf("guessing: accepted", m.secret, a.Address, a.Credential)
}

// accepted reports whether a credential from an address was good within the
// last hour, by any scheme, and of which pair.
func (m *Memory) accepted(credential authn.Key) (pair authn.Key, accepted bool) {
	return m.good.GetIfPresent(credential)
}

func (m *Memory) accept(credential, pair authn.Key) { m.good.Set(credential, pair) }

// belong reports whether a client and an account belong together.
func (m *Memory) belong(pair authn.Key) bool {
	_, known := m.together.GetIfPresent(pair)
	return known
}

// join remembers that a client and an account belong together, and reports
// whether their counter begins anew: once in a while.
func (m *Memory) join(pair authn.Key, while time.Duration) (anew bool) {
	now := time.Now()
	m.together.Compute(pair, func(begun time.Time, _ bool) (time.Time, otter.ComputeOp) {
		if anew = now.Sub(begun) >= while; anew {
			begun = now
		}
		return begun, otter.WriteOp // also to remember it for longer
	})
	return anew
}
