// Package signer signs the identity of callers for upstreams, as short JWTs (RFC 7519)
// with ES256. It makes, rotates and publishes its keys. Private keys never leave the
// process.
package signer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"
)

// MinTTL and MaxTTL bound the life of a JWT.
const (
	MinTTL = 10 * time.Second
	MaxTTL = 10 * time.Minute
)

const (
	// maxToken bounds a JWT, in bytes: upstreams bound their header fields.
	maxToken = 7 << 10

	// cacheSize bounds the memory of signed JWTs, in bytes.
	cacheSize = 16 << 20
)

// Signer has the keys of this process. It outlives a configuration.
type Signer struct {
	now        func() time.Time
	pairs      atomic.Pointer[pairs]
	shared     sharedKeys
	cache      *otter.Cache[[sha256.Size]byte, jwt]
	flights    singleflight.Group
	signatures atomic.Int64

	mutex sync.Mutex // of changes to the keys
}

// jwt is a JWT and when it ends.
type jwt struct {
	token string
	ends  time.Time
}

// New makes a signer without a key, see [Signer.Rotate].
func New() *Signer {
	return &Signer{now: time.Now, cache: otter.Must(&otter.Options[[sha256.Size]byte, jwt]{
		MaximumWeight:    cacheSize,
		Weigher:          func(_ [sha256.Size]byte, j jwt) uint32 { return uint32(len(j.token)) + 200 },
		ExpiryCalculator: otter.ExpiryWriting[[sha256.Size]byte, jwt](MaxTTL),
	})}
}

// Destruct ends the memory of signed JWTs.
func (s *Signer) Destruct() error {
	s.cache.StopAllGoroutines()
	return nil
}

// Rotate makes the first key, and the next one when it is time for it.
func (s *Signer) Rotate() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var last pairs
	if loaded := s.pairs.Load(); loaded != nil {
		last = *loaded
	}
	rotated, err := last.rotate(s.now())
	if err == nil {
		s.pairs.Store(&rotated)
	}
	return err
}

// errTooLong means that the claims are too long for a header field.
var errTooLong = errors.New("the JWT is too long for a header field: choose fewer claims")

// Sign returns a JWT with the claims. It ends after ttl, and no later than the
// credential of the caller, if that ends. `iat` and `exp` are added.
//
// A JWT is signed once for the same claims and used again until a quarter of its life
// is left. The memory is by the claims themselves, which include the audience. So no
// caller and no gate gets a JWT with claims that are not its own.
func (s *Signer) Sign(claims map[string]any, ttl time.Duration, expires time.Time) (string, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	key := sha256.Sum256(binary.BigEndian.AppendUint64(text, uint64(ttl)))
	limit := s.limit(ttl, expires)
	if found, ok := s.cache.GetIfPresent(key); ok && s.isFresh(found, ttl, limit) {
		return found.token, nil
	}
	flight := string(key[:]) + limit.Format(time.RFC3339)
	result, err, _ := s.flights.Do(flight, func() (any, error) {
		if found, ok := s.cache.GetIfPresent(key); ok && s.isFresh(found, ttl, limit) {
			return found.token, nil
		}
		return s.make(key, claims, limit)
	})
	token, _ := result.(string)
	return token, err
}

// limit is when a JWT that is signed now ends. A gate accepts a credential for a moment
// after its end, so the JWT lasts for a moment in any case.
func (s *Signer) limit(ttl time.Duration, expires time.Time) time.Time {
	now := s.now()
	limit := now.Add(ttl)
	if !expires.IsZero() && expires.Before(limit) {
		limit = expires
		if soon := now.Add(MinTTL); limit.Before(soon) {
			limit = soon
		}
	}
	return limit.Truncate(time.Second)
}

// isFresh reports whether a JWT that was signed earlier can be used for a credential
// that limits it.
func (s *Signer) isFresh(j jwt, ttl time.Duration, limit time.Time) bool {
	now := s.now()
	return !j.ends.After(limit) && j.ends.Sub(now) >= min(ttl, limit.Sub(now))/4
}

// make signs claims and remembers the JWT.
func (s *Signer) make(key [sha256.Size]byte, claims map[string]any, ends time.Time) (string, error) {
	now := s.now()
	all := maps.Clone(claims)
	all["iat"], all["exp"] = now.Unix(), ends.Unix()
	text, err := json.Marshal(all)
	if err != nil {
		return "", err
	}
	if len(text) > maxToken*3/4 {
		return "", errTooLong
	}
	token, err := s.pairs.Load().current(now).sign(text)
	if err != nil {
		return "", err
	}
	if len(token) > maxToken {
		return "", errTooLong
	}
	s.signatures.Add(1)
	s.cache.Set(key, jwt{token, ends})
	return token, nil
}
