// Package memory is the store that keeps its state in this process.
package memory

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
)

func init() {
	caddy.RegisterModule(new(Memory))
}

// Memory keeps what must be remembered in the memory of this process: it is
// the default, and right for one instance. It survives reloads of the
// configuration, not a restart. Several instances do not know of each other,
// so that a DPoP proof can be used once at each.
type Memory struct {
	*seen
}

// CaddyModule returns the Caddy module information.
func (*Memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  authn.StoreNamespace + ".memory",
		New: func() caddy.Module { return new(Memory) },
	}
}

// UnmarshalCaddyfile sets up the store from Caddyfile tokens. Syntax:
//
//	store memory
func (*Memory) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	_, err := block.Begin(d)
	return err
}

// pool holds the state from one configuration to the next.
var pool = caddy.NewUsagePool()

const poolKey = "memory"

// Provision finds the state of the process.
func (m *Memory) Provision(caddy.Context) error {
	shared, _, err := pool.LoadOrNew(poolKey, func() (caddy.Destructor, error) {
		return &seen{until: make(map[[32]byte]int64), most: maxKeys, now: time.Now}, nil
	})
	if err != nil {
		return err
	}
	m.seen = shared.(*seen)
	return nil
}

// Cleanup lets go of the state.
func (m *Memory) Cleanup() error {
	if m.seen == nil {
		return nil
	}
	m.seen = nil
	_, err := pool.Delete(poolKey)
	return err
}

const (
	// maxKeys bounds the memory, to about 100 MB. Only holders of good tokens
	// can add to it.
	maxKeys = 1_000_000
	// sweepEvery is how often what has ended is removed.
	sweepEvery = time.Second
)

// errFull is an error and no eviction: a key that is forgotten early could be
// used again.
var errFull = errors.New("the store is full")

// seen is a set of keys, each with an end.
type seen struct {
	mutex sync.Mutex
	until map[[32]byte]int64 // Unix nanoseconds
	swept time.Time
	most  int
	now   func() time.Time
}

// First reports whether the key is new, and remembers it.
func (s *seen) First(_ context.Context, key [32]byte, until time.Time) (bool, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now := s.now()
	if now.Sub(s.swept) >= sweepEvery {
		s.sweep(now)
	}
	if end, known := s.until[key]; known && end > now.UnixNano() {
		return false, nil
	}
	if len(s.until) >= s.most {
		return false, errFull
	}
	s.until[key] = until.UnixNano()
	return true, nil
}

func (s *seen) sweep(now time.Time) {
	s.swept = now
	for key, end := range s.until {
		if end <= now.UnixNano() {
			delete(s.until, key)
		}
	}
}

// Destruct ends the state once no configuration uses it.
func (*seen) Destruct() error { return nil }

// Interface guards
var (
	_ authn.Store           = (*Memory)(nil)
	_ caddy.Provisioner     = (*Memory)(nil)
	_ caddy.CleanerUpper    = (*Memory)(nil)
	_ caddyfile.Unmarshaler = (*Memory)(nil)
)
