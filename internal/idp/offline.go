package idp

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
)

var errOffline = errors.New("not asked, because this process keeps off the network")

var offline atomic.Bool

// StayOffline keeps the clients of [NewClient] from the network for the rest of
// the process. Commands that read a configuration must not contact its providers.
func StayOffline() { offline.Store(true) }

// whileOnline refuses to dial once the process keeps off the network.
func whileOnline(dial func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if offline.Load() {
			return nil, errOffline
		}
		return dial(ctx, network, address)
	}
}
