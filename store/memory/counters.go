package memory

import (
	"context"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/store"
)

// counters are at most [store.MaxCounters] counters, in about 30 MB. One that is
// seldom added to makes way for a new one. An attacker's own are added to often.
type counters struct {
	cache *otter.Cache[store.Key, counter]
}

type counter struct {
	count  int
	forget time.Duration
}

// newCounters returns an empty set of counters.
func newCounters() *counters {
	return &counters{cache: otter.Must(&otter.Options[store.Key, counter]{
		MaximumSize: store.MaxCounters,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(entry otter.Entry[store.Key, counter]) time.Duration {
			return entry.Value.forget
		}),
	})}
}

// Count adds one to a counter and returns its value.
func (c *counters) Count(_ context.Context, key store.Key, forget time.Duration) int {
	added, _ := c.cache.Compute(key, func(existing counter, _ bool) (counter, otter.ComputeOp) {
		return counter{count: existing.count + 1, forget: forget}, otter.WriteOp
	})
	return added.count
}

// Reset sets a counter to zero.
func (c *counters) Reset(_ context.Context, key store.Key) { c.cache.Invalidate(key) }
