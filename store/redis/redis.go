// Package redis is the store that several instances share by a Redis server.
package redis

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/authn"
)

func init() {
	caddy.RegisterModule(new(Redis))
	redis.SetLogger(quiet{})
}

// Redis keeps what several instances have to agree on in a Redis server, 6.2
// or newer, or in one that speaks its protocol: the proofs of possession that
// were used, the revocations, and how often somebody guessed wrong. Instances
// with the same server and prefix are one group.
//
// Caddy starts without Redis, and goes on without it:
//
//   - Whether a proof was used before cannot be said then, so it is not
//     accepted: 503 with Retry-After.
//   - Each instance honors the revocations it knows. One that has not read
//     them yet since it started lets no caller in: 503. A revocation that Redis
//     did not take is an error for who announced it. It holds at that instance
//     all the same, and the others hear of it when Redis is back. A revocation
//     is not undone meanwhile.
//   - Each instance counts attempts alone.
//
// A revocation reaches the other instances in milliseconds. Where a connection
// has died in silence this is noticed, and what was missed is read, after 200 ms
// and the time-out. A process that knows of revocations which Redis has lost
// writes them back.
//
// Keys in Redis are digests, and no credential is ever there. A revocation has
// the names by which it was announced, so that it can be listed. All keys end by
// themselves. The server should have `maxmemory-policy noeviction`: one that
// is full then refuses, where others would forget what was used.
type Redis struct {
	// Where Redis is: `redis://<host>:<port>/<database>`, with `rediss` for
	// TLS, `unix://<path>`, or just `<host>:<port>`. A user and a password may
	// stand in the first one. Several are those of `sentinel` or of `cluster`.
	// Placeholders such as `{env.REDIS_URL}` are replaced at load.
	Addresses []string `json:"addresses,omitempty"`

	// The addresses are those of sentinels, which know the master.
	Sentinel *Sentinel `json:"sentinel,omitempty"`

	// The addresses are those of some nodes of a cluster.
	Cluster bool `json:"cluster,omitempty"`

	// The user of Redis' access control lists. Default: that of the address,
	// else Redis' default user.
	User string `json:"user,omitempty"`

	// The password, for which placeholders such as `{env.REDIS_PASSWORD}` and
	// `{file./run/secrets/redis}` are replaced at load.
	Password string `json:"password,omitempty"`

	// The certificates of TLS, for addresses that begin with `rediss`.
	TLS *TLS `json:"tls,omitempty"`

	// For how long a request waits for Redis at most, connecting included.
	// Default: 250ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// What all keys begin with. Groups of instances that share a server
	// without sharing their state have different ones. Default: `caddy-auth`.
	Prefix string `json:"prefix,omitempty"`

	*shared
	poolKey string // empty once it is let go of
}

// Sentinel says how to find the master by asking sentinels.
type Sentinel struct {
	// The name by which the sentinels know the master.
	Master string `json:"master"`

	// The user and the password for the sentinels themselves, if they have
	// any. Placeholders are replaced at load.
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  authn.StoreNamespace + ".redis",
		New: func() caddy.Module { return new(Redis) },
	}
}

// pool holds connections, and what was read over them, from one configuration
// to the next.
var pool = caddy.NewUsagePool()

// Provision finds the state that the last configuration has left, or begins to
// connect. It does not wait for that.
func (r *Redis) Provision(ctx caddy.Context) error {
	settings, err := r.settings(caddy.NewReplacer())
	if err != nil {
		return fmt.Errorf("store redis: %w", err)
	}
	found, _, err := pool.LoadOrNew(settings.digest, func() (caddy.Destructor, error) {
		return share(settings, ctx.Logger()), nil
	})
	if err != nil {
		return err
	}
	r.shared, r.poolKey = found.(*shared), settings.digest
	return nil
}

// Cleanup lets go of the state. Requests of the old configuration may still be
// using it, so it stays where it is.
func (r *Redis) Cleanup() error {
	if r.poolKey == "" {
		return nil
	}
	key := r.poolKey
	r.poolKey = ""
	_, err := pool.Delete(key)
	return err
}

// Interface guards
var (
	_ authn.Store           = (*Redis)(nil)
	_ authn.StoreHealth     = (*Redis)(nil)
	_ caddy.Provisioner     = (*Redis)(nil)
	_ caddy.CleanerUpper    = (*Redis)(nil)
	_ caddyfile.Unmarshaler = (*Redis)(nil)
)
