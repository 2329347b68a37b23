package memory

import (
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

func TestCountersMakeWay(t *testing.T) {
	t.Run("COUNT-1: counters are bounded, and who fails often stays", func(t *testing.T) {
		store := newState()
		defer func() { _ = store.Destruct() }()
		storetest.Counters(t, authn.MaxCounters, func() int {
			store.cache.CleanUp()
			return store.cache.EstimatedSize()
		}, store)
	})
}
