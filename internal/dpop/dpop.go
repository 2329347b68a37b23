// Package dpop checks DPoP proofs (RFC 9449): that whoever sends an access
// token holds the key to which the token is bound.
//
// A [Verifier] makes the checks of RFC 9449 §4.3 on what a request carries. The
// caller then compares the key with the one in the token ([Proof.Fits]), and at
// last has the proof remembered ([Verifier.Consume]), so that it works once.
package dpop

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// The window of iat (RFC 9449 §11.1). A client makes a proof for one request, so a
// proof may be a little old. A clock that is ahead gets a few seconds.
const (
	maxAge   = time.Minute
	maxAhead = 10 * time.Second
)

// Replay remembers proofs, for this instance or for all.
type Replay interface {
	// First reports whether an owner's key was not seen before, and remembers it
	// until the given time. An error means that this cannot be said, also because
	// the owner has too many.
	First(ctx context.Context, owner, key [32]byte, until time.Time) (bool, error)
}

// Verifier checks proofs. It may be used by several goroutines and must not be
// changed once it is in use.
type Verifier struct {
	// Replay remembers the proofs that were consumed.
	Replay Replay
	// Nonces, if there are any, must be part of each proof (RFC 9449 §9).
	Nonces *Nonces
	// Now is the clock.
	Now func() time.Time
}

// Request is what a proof has to fit.
type Request struct {
	// Fields are the values of all DPoP field lines.
	Fields []string
	// Method is compared with htm in its exact letter case (RFC 9110 §9.1).
	Method string
	// URL is the target URI as the client sees it, such as
	// "https://api.example.com/a?b". Query and fragment are ignored.
	URL string
	// Token is the access token that came with the proof.
	Token string
}

// Proof is a proof that was verified.
type Proof struct {
	// Thumbprint is that of the proof's key: SHA-256 in base64url (RFC 7638).
	Thumbprint string
	// ID is the jti, which the client chose.
	ID string
	// TokenHash is the ath: the hash of the token that the proof is for.
	TokenHash string
	// IssuedAt is the iat.
	IssuedAt time.Time
	// Stale says that the nonce is that of the step before, so that the client
	// should be given the current one (RFC 9449 §8.2).
	Stale bool
}

// Fits reports, in constant time, whether the key of the proof is the one that
// cnf.jkt of an access token names (RFC 9449 §6.1). An empty thumbprint, as of a
// token that is bound to no key, never fits.
func (p *Proof) Fits(thumbprint string) bool {
	return thumbprint != "" && subtle.ConstantTimeCompare([]byte(p.Thumbprint), []byte(thumbprint)) == 1
}

// Verify makes all checks of RFC 9449 §4.3 but two, which are left to
// [Proof.Fits] and [Verifier.Consume]. It returns an [InvalidError], or a
// [NonceError] for a proof that lacks only a fresh nonce.
//
// What costs little is looked at first. The signature comes after it, so that
// a proof which cannot fit costs no cryptography.
func (v *Verifier) Verify(r Request) (*Proof, error) {
	parsed, err := parse(r.Fields)
	if err != nil {
		return nil, &InvalidError{err}
	}
	proof, err := v.checkClaims(parsed.Claims, r)
	if err != nil {
		return nil, &InvalidError{err}
	}
	if proof.Thumbprint, err = parsed.verify(); err != nil {
		return nil, &InvalidError{err}
	}
	if err := v.checkNonce(parsed.Claims); err != nil {
		return nil, err
	}
	if nonce, _ := parsed.Claims["nonce"].(string); v.Nonces != nil {
		proof.Stale = nonce != v.Nonces.Current()
	}
	return proof, nil
}

// Consume refuses a proof that was seen before at this target URI (RFC 9449
// §11.1). Call it last, when the token is known to be good and bound to the
// proof's key, so that strangers cannot fill the memory. The token owns what is
// remembered, so that its holder cannot fill the memory either. It returns an
// [InvalidError] for a replay, and an [UnavailableError] when the memory cannot
// be asked or has no room.
func (v *Verifier) Consume(ctx context.Context, p *Proof, targetURL string) error {
	if v.Replay == nil {
		return &UnavailableError{errNoReplay}
	}
	target, err := Normalize(targetURL)
	if err != nil {
		return &InvalidError{err}
	}
	first, err := v.Replay.First(ctx, sha256.Sum256([]byte(p.TokenHash)), replayKey(p.ID, target), p.IssuedAt.Add(maxAge+maxAhead))
	if err != nil {
		return &UnavailableError{err}
	}
	if !first {
		return &InvalidError{errReplay}
	}
	return nil
}

// replayKey is what is remembered of a proof. The length in front keeps two
// pairs apart that would read alike when joined.
func replayKey(id, target string) [32]byte {
	text := binary.BigEndian.AppendUint64(nil, uint64(len(id)))
	text = append(text, id...)
	return sha256.Sum256(append(text, target...))
}

// digest is how RFC 9449 writes hashes: SHA-256 in base64url without padding.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
