package bruteforce

import (
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/internal/keyedhash"
	"github.com/excorp/caddy-require-auth/store"
)

const (
	// A pair of client and account is known for knownPairTTL after a success.
	// maxKnownPairs of them take about 15 MB.
	knownPairTTL  = 7 * 24 * time.Hour
	maxKnownPairs = 100_000
	// A credential is good for goodCredentialTTL after a success.
	goodCredentialTTL  = time.Hour
	maxGoodCredentials = 10_000
	// maxFailureCounters bounds the counters whose last value is kept, in about
	// half a MB.
	maxFailureCounters = 4096
)

// Memory is the state of the process: known pairs of client and account, good
// credentials, and the last values of counters. It outlives configurations.
// Instances do not share it.
type Memory struct {
	// knownPairs holds the pairs with the time of the last reset of their counters.
	knownPairs *otter.Cache[store.Key, time.Time]
	// goodCredentials holds digests of addresses and credentials with their pairs.
	goodCredentials *otter.Cache[keyedhash.Digest, store.Key]
	// failures holds the counters of the store as this process last saw them. They
	// decide how many attempts may be in flight.
	failures *otter.Cache[store.Key, int]
}

// NewMemory returns an empty memory.
func NewMemory() *Memory {
	return &Memory{
		knownPairs: otter.Must(&otter.Options[store.Key, time.Time]{
			MaximumSize: maxKnownPairs, ExpiryCalculator: otter.ExpiryWriting[store.Key, time.Time](knownPairTTL),
		}),
		goodCredentials: otter.Must(&otter.Options[keyedhash.Digest, store.Key]{
			MaximumSize: maxGoodCredentials, ExpiryCalculator: otter.ExpiryWriting[keyedhash.Digest, store.Key](goodCredentialTTL),
		}),
		failures: otter.Must(&otter.Options[store.Key, int]{
			MaximumSize: maxFailureCounters, ExpiryCalculator: otter.ExpiryWriting[store.Key, int](maxForget),
		}),
	}
}

// Destruct ends the memory when no configuration uses it.
func (m *Memory) Destruct() error {
	m.knownPairs.StopAllGoroutines()
	m.goodCredentials.StopAllGoroutines()
	m.failures.StopAllGoroutines()
	return nil
}

// room returns how many attempts of a counter may be in flight, at least one. When
// old counters are evicted, a counter that is not found may have failures.
func (m *Memory) room(counter store.Key, limit int) int {
	failures, found := m.failures.GetIfPresent(counter)
	if !found && m.failures.EstimatedSize() > maxFailureCounters*3/4 {
		return 1
	}
	return max(1, limit-failures)
}

// noteFailures remembers the value of a counter. Attempts that fail at once may come in
// another order than they were counted, so a lower value does not replace a higher one.
func (m *Memory) noteFailures(counter store.Key, failures int) {
	m.failures.Compute(counter, func(former int, _ bool) (int, otter.ComputeOp) {
		return max(former, failures), otter.WriteOp
	})
}

// goodCredential reports whether a scheme accepted the credential recently, and
// for which pair.
func (m *Memory) goodCredential(credential keyedhash.Digest) (pair store.Key, good bool) {
	return m.goodCredentials.GetIfPresent(credential)
}

func (m *Memory) addGoodCredential(credential keyedhash.Digest, pair store.Key) {
	m.goodCredentials.Set(credential, pair)
}

// knownPair reports whether the client logged in to the account recently.
func (m *Memory) knownPair(pair store.Key) bool {
	_, found := m.knownPairs.GetIfPresent(pair)
	return found
}

// isResetDue reports whether addPair would reset the counter of a pair. Unlike addPair it
// writes nothing, so each request may call it.
func (m *Memory) isResetDue(pair store.Key, interval time.Duration) bool {
	last, found := m.knownPairs.GetIfPresent(pair)
	return !found || time.Since(last) >= interval
}

// addPair remembers a pair, or remembers it for longer. It reports whether to
// reset its counter, which it does once in each interval.
func (m *Memory) addPair(pair store.Key, interval time.Duration) (reset bool) {
	now := time.Now()
	m.knownPairs.Compute(pair, func(last time.Time, _ bool) (time.Time, otter.ComputeOp) {
		if reset = now.Sub(last) >= interval; reset {
			last = now
		}
		return last, otter.WriteOp
	})
	return reset
}
