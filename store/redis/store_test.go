package redis

import (
	"testing"

	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

func TestStore(t *testing.T) {
	t.Parallel()
	server := start(t)
	var all []store.Store
	for _, one := range instances(t, server, 3) {
		all = append(all, one)
	}
	storetest.Run(t, all...)
}

func TestShareOfOne(t *testing.T) {
	t.Run("COST-1: one token takes its share of the room, and leaves the rest", func(t *testing.T) {
		server := start(t)
		var all []store.Store
		for _, one := range instances(t, server, 2) {
			if one.each != store.MaxKeys {
				t.Errorf("the share is %d", one.each)
			}
			one.each = 20
			all = append(all, one)
		}
		storetest.Share(t, 20, all...)
	})
}
