// Package memory is the store that keeps its state in this process.
package memory

import (
	"context"
	"iter"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/store/internal/marks"
)

func init() {
	caddy.RegisterModule(new(Memory))
}

// Memory keeps what must be remembered in the memory of this process: it is
// the default, and right for one instance. It lasts as long as the process, also
// through a configuration without gates. Several instances do not know of each other,
// so that a DPoP proof can be used once at each, and what is revoked at one is
// good at the others.
type Memory struct {
	*state
	acquired bool
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

// process is the state of this process.
var process = lasting.Value[*state]{New: newState}

// Provision finds the state of the process.
func (m *Memory) Provision(caddy.Context) error {
	m.state, m.acquired = process.Acquire(), true
	return nil
}

// Cleanup lets go of the state. Requests of the old configuration may still be
// using it, so it stays where it is.
func (m *Memory) Cleanup() error {
	if !m.acquired {
		return nil
	}
	m.acquired = false
	return process.Release()
}

// state is what outlives a configuration.
type state struct {
	*seen
	*counters
	marks *marks.Set
}

func newState() *state {
	return &state{seen: newSeen(), counters: newCounters(), marks: marks.New()}
}

// Publish adds a mark.
func (s *state) Publish(_ context.Context, entry authn.Entry) error { return s.marks.Put(entry) }

// Lookup finds a mark.
func (s *state) Lookup(kind authn.EntryKind, key authn.Key) (authn.Entry, bool) {
	return s.marks.Find(kind, key)
}

// Undo ends a revocation.
func (s *state) Undo(_ context.Context, key authn.Key) (authn.Entry, bool, error) {
	entry, found := s.marks.Remove(key)
	return entry, found, nil
}

// Revocations lists the revocations.
func (s *state) Revocations() iter.Seq[authn.Entry] { return s.marks.Revoked() }

// HasRevocations reports whether there are any revocations.
func (s *state) HasRevocations() (bool, error) { return s.marks.HasRevocations(), nil }

// Destruct ends the state when Caddy stops.
func (s *state) Destruct() error {
	s.counters.cache.StopAllGoroutines()
	return s.marks.Destruct()
}

// Own is a store of its own, which ends when it is destructed.
type Own interface {
	authn.Store
	caddy.Destructor
}

// New returns a store of its own, for tests and for other stores to fall back
// on.
func New() Own { return newState() }

// Interface guards
var (
	_ authn.Store           = (*Memory)(nil)
	_ caddy.Provisioner     = (*Memory)(nil)
	_ caddy.CleanerUpper    = (*Memory)(nil)
	_ caddyfile.Unmarshaler = (*Memory)(nil)
)
