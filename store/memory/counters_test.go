package memory

import (
	"testing"

	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

func TestCountersMakeWay(t *testing.T) {
	t.Run("COUNT-1: counters are bounded, and who fails often stays", func(t *testing.T) {
		state := newState()
		defer func() { _ = state.Destruct() }()
		storetest.Counters(t, store.MaxCounters, func() int {
			state.cache.CleanUp()
			return state.cache.EstimatedSize()
		}, state)
	})
}
