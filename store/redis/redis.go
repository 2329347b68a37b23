// Package redis is the store that several instances share through a Redis server.
package redis

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/store"
)

func init() {
	caddy.RegisterModule(new(Redis))
	redis.SetLogger(quiet{})
}

// Redis keeps the state that several instances share in a Redis server, 6.2 or newer,
// or in a compatible server. The state consists of used proofs of possession,
// revocations, counters of failed attempts, and the public keys of `forward_signed`.
// Instances with the same server and prefix are one group.
//
// Caddy starts without Redis, and continues without it:
//
//   - The gate answers a proof of possession with 503 and Retry-After, because the
//     proof may have been used at another instance.
//   - Each instance enforces the revocations that it knows. An instance that has not
//     read them since it started answers 503 to every valid credential. Publishing a
//     revocation fails. It is in force at that instance, and at the others as soon as
//     Redis is back. Undoing a revocation fails too.
//   - Each instance counts attempts alone.
//   - Each instance publishes its own keys of `forward_signed`, and those of the others
//     that it knows.
//
// A revocation reaches the other instances in milliseconds. If a connection dies
// silently, they read it after 200 ms plus the time-out. An instance writes back
// revocations that Redis has lost.
//
// Keys in Redis are digests, and Redis never holds a credential. A revocation has
// the names by which it was published, for the list of revocations. All keys expire.
// Configure the server with `maxmemory-policy noeviction`: a full server then refuses
// writes. With another policy it forgets used proofs.
type Redis struct {
	// The addresses: `redis://<host>:<port>/<database>`, `rediss` for TLS,
	// `unix://<path>`, or only `<host>:<port>`. The first one may have a user and a
	// password. Several addresses need `sentinel` or `cluster`. Placeholders such as
	// `{env.REDIS_URL}` are replaced at load.
	Addresses []string `json:"addresses,omitempty"`

	// Takes the addresses for those of sentinels, which know the master.
	Sentinel *Sentinel `json:"sentinel,omitempty"`

	// Takes the addresses for those of some nodes of a cluster. Default: false.
	Cluster bool `json:"cluster,omitempty"`

	// The user in Redis' access control lists. Default: the user of the address, else
	// Redis' default user. Placeholders are replaced at load.
	User string `json:"user,omitempty"`

	// The password. Placeholders such as `{env.REDIS_PASSWORD}` and
	// `{file./run/secrets/redis}` are replaced at load. Default: the password of the
	// address.
	Password string `json:"password,omitempty"`

	// Certificates and names for TLS. The addresses have to begin with `rediss`.
	TLS *TLS `json:"tls,omitempty"`

	// The longest time for which a request waits for Redis, including the connection.
	// At most 10s. Default: 250ms.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// The prefix of all keys: up to 64 letters, digits and `_ . : / -`. Groups of
	// instances with different prefixes share a server and no state. Default:
	// `caddy-auth`.
	Prefix string `json:"prefix,omitempty"`

	*shared
	poolKey string // empty after Cleanup
}

// Sentinel says how sentinels find the master.
type Sentinel struct {
	// The name of the master at the sentinels. It is required.
	Master string `json:"master"`

	// The user at the sentinels themselves. Default: none. Placeholders are replaced at
	// load.
	User string `json:"user,omitempty"`

	// The password at the sentinels themselves. Default: none. Placeholders are
	// replaced at load.
	Password string `json:"password,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Redis) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  store.Namespace + ".redis",
		New: func() caddy.Module { return new(Redis) },
	}
}

// pool keeps connections and state from one configuration to the next.
var pool = caddy.NewUsagePool()

// Provision acquires the state of the last configuration, or begins to connect. It waits
// for the entries for a moment: an instance then starts without answers of 503, and also
// starts without Redis.
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
	r.awaitFirstRead(ctx)
	return nil
}

// Cleanup releases the state. It keeps the pointer, because requests of the old
// configuration may still use the state.
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
	_ store.Store             = (*Redis)(nil)
	_ store.Health            = (*Redis)(nil)
	_ store.RevocationCounter = (*Redis)(nil)
	_ store.SharedKeys        = (*Redis)(nil)
	_ caddy.Provisioner       = (*Redis)(nil)
	_ caddy.CleanerUpper      = (*Redis)(nil)
	_ caddyfile.Unmarshaler   = (*Redis)(nil)
)
