package keyset

import (
	"context"
	"fmt"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/lasting"
)

// remotes are the published key sets in use. They outlive a configuration, so a reload
// neither fetches again, nor forgets the keys while a provider is down.
var remotes = lasting.NewShared[*Remote]()

// OpenShared is [NewRemote] for a key set that configurations share until each has
// called release. Its client trusts the file of a line `ca_file`, if there is one.
func OpenShared(config RemoteConfig, caFile string) (set *Remote, release func() error, err error) {
	key := fmt.Sprintf("%q", []any{config.URL, config.Issuer, config.Transmitter, config.TokenFile, config.HTTPHosts, caFile})
	return remotes.Open(key, func(ctx context.Context) (*Remote, error) {
		var err error
		if config.Client, err = idp.NewClientTrusting(ctx, caFile, config.Logger()); err != nil {
			return nil, err
		}
		return NewRemote(ctx, config)
	})
}
