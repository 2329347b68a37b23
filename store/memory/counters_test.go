package memory

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestCountersMakeWay(t *testing.T) {
	t.Run("LEAK-6: counters are bounded, and who fails often stays", func(t *testing.T) {
		c := newCounters()
		often := authn.KeyOf("often")
		last := 0
		for i := range authn.MaxCounters + 20_000 {
			var key authn.Key
			binary.BigEndian.PutUint64(key[:], uint64(i))
			c.Count(t.Context(), key, time.Hour)
			if i%1000 == 0 {
				last = c.Count(t.Context(), often, time.Hour)
			}
		}
		c.cache.CleanUp()
		if got := c.cache.EstimatedSize(); got > authn.MaxCounters {
			t.Errorf("%d are held", got)
		}
		if want := (authn.MaxCounters + 20_000) / 1000; last != want {
			t.Errorf("it stands at %d, want %d", last, want)
		}
	})
}
