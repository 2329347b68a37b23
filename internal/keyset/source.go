package keyset

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Source answers which keys may verify a token.
type Source interface {
	// Find returns the keys for a token's kid and alg; none is not an error. An
	// *UnavailableError means that the question cannot be answered now: 503 and
	// never 401, because a 401 makes a client throw away a good token.
	Find(ctx context.Context, kid, alg string) ([]*Key, error)
}

var (
	_ Source = (*Static)(nil)
	_ Source = (*Remote)(nil)
)

// UnavailableError says that nobody knows at present: whether a key exists, or
// what an issuer says of a token.
type UnavailableError struct {
	// Reason is for the log, not for the client.
	Reason error
	// RetryAfter is when asking again may help, in whole seconds, at least one.
	RetryAfter time.Duration
}

// Error is for the log.
func (e *UnavailableError) Error() string { return fmt.Sprintf("unavailable: %v", e.Reason) }

// Unwrap returns the reason.
func (e *UnavailableError) Unwrap() error { return e.Reason }

// Static is a source of keys that the operator configured. They may be replaced
// while requests use them, for example when a watched file has changed.
type Static struct {
	current atomic.Pointer[Set]
}

// NewStatic returns a source of these keys; nil stands for none.
func NewStatic(set *Set) *Static {
	source := new(Static)
	source.Replace(set)
	return source
}

// Replace puts other keys in the place of all former ones.
func (s *Static) Replace(set *Set) {
	if set == nil {
		set = new(Set)
	}
	s.current.Store(set)
}

// Find never waits and never fails.
func (s *Static) Find(_ context.Context, kid, alg string) ([]*Key, error) {
	return s.current.Load().Find(kid, alg), nil
}

// Fingerprint is a number that tells these keys from others. A cache of verified
// tokens reads it before Find, keeps it with what it verified, and lets go of
// that when the number is another one. The same keys have the same number, so
// that a cache outlives a reload of the configuration.
func (s *Static) Fingerprint() uint64 { return s.current.Load().fingerprint }

// All returns the keys. The slice must not be changed.
func (s *Static) All() *Set { return s.current.Load() }
