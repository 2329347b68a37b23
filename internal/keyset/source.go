package keyset

import (
	"context"
	"crypto/sha256"
	"sync/atomic"
)

// Source finds the keys that may verify a token.
type Source interface {
	// Find returns the keys that may verify a token. No keys are not an error. An
	// *idp.UnavailableError means that the key may not be known yet. If no returned key
	// verifies the token, the answer is then 503 and not 401, because a 401 makes a
	// client discard a valid token.
	Find(ctx context.Context, query Query) ([]*Key, error)
}

// Query is the input of [Source.Find].
type Query struct {
	Token            Digest // of the whole token
	KeyID, Algorithm string // kid and alg of its header
}

// Digest identifies a token in memory.
type Digest = [sha256.Size]byte

var (
	_ Source = (*Static)(nil)
	_ Source = (*Remote)(nil)
)

// Static is a source of configured keys. They may be replaced while requests use them,
// for example when a watched file has changed.
type Static struct {
	current atomic.Pointer[Set]
}

// NewStatic returns a source of these keys; nil is the empty set.
func NewStatic(set *Set) *Static {
	source := new(Static)
	source.Replace(set)
	return source
}

// Replace replaces all keys.
func (s *Static) Replace(set *Set) {
	if set == nil {
		set = new(Set)
	}
	s.current.Store(set)
}

// Find never waits and never fails.
func (s *Static) Find(_ context.Context, query Query) ([]*Key, error) {
	return s.current.Load().Find(query.KeyID, query.Algorithm), nil
}

// Fingerprint is a number that changes with the keys. A cache of verified tokens reads
// it before Find and keeps it with each entry. An entry with another number is invalid.
// The same keys have the same number, so a cache outlives a reload.
func (s *Static) Fingerprint() uint64 { return s.current.Load().fingerprint }

// All returns the keys. The slice must not change.
func (s *Static) All() *Set { return s.current.Load() }
