package keyset

import (
	"context"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
)

// remotes are the published key sets in use. They outlive a configuration, so
// that a reload neither fetches again nor forgets while a provider is down.
var remotes = caddy.NewUsagePool()

// shared ends the fetching once no configuration uses the key set.
type shared struct {
	*Remote
	stop context.CancelFunc
}

// Destruct implements caddy.Destructor.
func (s *shared) Destruct() error {
	s.stop()
	return nil
}

// OpenShared is [NewRemote] for a key set that configurations share until each has
// called release. The client belongs to it; clientKey tells clients apart.
func OpenShared(config RemoteConfig, clientKey string, newClient func(context.Context) (*http.Client, error)) (set *Remote, release func() error, err error) {
	key := fmt.Sprintf("%q", []any{config.URL, config.Issuer, config.Transmitter, config.TokenFile, config.HTTPHosts, clientKey})
	opened, _, err := remotes.LoadOrNew(key, func() (caddy.Destructor, error) {
		ctx, stop := context.WithCancel(context.Background()) // ended by Destruct
		var err error
		if config.Client, err = newClient(ctx); err == nil {
			var set *Remote
			if set, err = NewRemote(ctx, config); err == nil {
				return &shared{Remote: set, stop: stop}, nil
			}
		}
		stop()
		return nil, err
	})
	if err != nil {
		return nil, nil, err
	}
	release = func() error {
		_, err := remotes.Delete(key)
		return err
	}
	return opened.(*shared).Remote, release, nil
}
