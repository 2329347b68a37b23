package memory

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

// counters are at most [authn.MaxCounters] counters, in about 30 MB. One that is
// seldom added to makes way for a new one. An attacker's own are added to often.
type counters struct {
	cache *otter.Cache[authn.Key, counter]
}

type counter struct {
	count  int
	forget time.Duration
}

// newCounters returns an empty set of counters.
func newCounters() *counters {
	return &counters{cache: otter.Must(&otter.Options[authn.Key, counter]{
		MaximumSize: authn.MaxCounters,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(entry otter.Entry[authn.Key, counter]) time.Duration {
			return entry.Value.forget
		}),
	})}
}

// Count adds one to a counter and returns its value.
func (c *counters) Count(_ context.Context, key authn.Key, forget time.Duration) int {
	added, _ := c.cache.Compute(key, func(known counter, _ bool) (counter, otter.ComputeOp) {
		return counter{count: known.count + 1, forget: forget}, otter.WriteOp
	})
	return added.count
}

// Reset sets a counter to zero.
func (c *counters) Reset(_ context.Context, key authn.Key) { c.cache.Invalidate(key) }
