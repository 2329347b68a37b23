package redis

import (
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

func TestStore(t *testing.T) {
	server := start(t)
	var all []authn.Store
	for _, one := range instances(t, server, 3) {
		all = append(all, one)
	}
	storetest.Run(t, all...)
}
