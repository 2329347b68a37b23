// Package memory is the store of one process.
package memory

import (
	"context"
	"iter"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/internal/entries"
)

func init() {
	caddy.RegisterModule(new(Memory))
}

// Memory keeps its state in the memory of this process. It is the default, and right
// for one instance. The state lasts as long as the process, also over a configuration
// without gates. Several instances share nothing: each accepts a DPoP proof once, and
// a revocation is in force only at the instance that received it.
type Memory struct {
	*state
	acquired bool
}

// CaddyModule returns the Caddy module information.
func (*Memory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  store.Namespace + ".memory",
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

// Provision acquires the state of the process.
func (m *Memory) Provision(caddy.Context) error {
	m.state, m.acquired = process.Acquire(), true
	return nil
}

// Cleanup releases the state. It keeps the pointer, because requests of the old
// configuration may still use the state.
func (m *Memory) Cleanup() error {
	if !m.acquired {
		return nil
	}
	m.acquired = false
	return process.Release()
}

// state outlives a configuration.
type state struct {
	*keySet
	*counters
	entries *entries.Set
}

func newState() *state {
	return &state{keySet: newKeySet(), counters: newCounters(), entries: entries.New()}
}

// Publish adds an entry.
func (s *state) Publish(_ context.Context, entry store.Entry) error { return s.entries.Put(entry) }

// Lookup returns an entry.
func (s *state) Lookup(kind store.EntryKind, key store.Key) (store.Entry, bool) {
	return s.entries.Find(kind, key)
}

// Undo ends a revocation.
func (s *state) Undo(_ context.Context, key store.Key) (store.Entry, bool, error) {
	entry, found := s.entries.Remove(key)
	return entry, found, nil
}

// Revocations lists the revocations.
func (s *state) Revocations() iter.Seq[store.Entry] { return s.entries.Revoked() }

// HasRevocations reports whether any revocation exists.
func (s *state) HasRevocations() (bool, error) { return s.entries.HasRevocations(), nil }

// LearnedRevocations counts the revocations that were added.
func (s *state) LearnedRevocations() uint64 { return s.entries.Learned() }

// Destruct ends the state when Caddy stops.
func (s *state) Destruct() error {
	s.counters.cache.StopAllGoroutines()
	return s.entries.Destruct()
}

// Own is a store that shares nothing, and ends with Destruct.
type Own interface {
	store.Store
	caddy.Destructor
}

// New returns a store that shares nothing, for tests and as the fallback of other
// stores.
func New() Own { return newState() }

// Interface guards
var (
	_ store.Store             = (*Memory)(nil)
	_ store.RevocationCounter = (*Memory)(nil)
	_ caddy.Provisioner       = (*Memory)(nil)
	_ caddy.CleanerUpper      = (*Memory)(nil)
	_ caddyfile.Unmarshaler   = (*Memory)(nil)
)
