// Package dpop checks DPoP proofs (RFC 9449). They prove that the sender of an access
// token has the key to which the token is bound.
//
// A [Verifier] makes the checks of RFC 9449 §4.3 on a request. The caller then compares
// the key with the one in the token ([Proof.Fits]). At last it records the proof
// ([Verifier.Consume]), so that it works once.
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
// proof may be a little old. A clock may be a few seconds ahead.
const (
	maxAge   = time.Minute
	maxAhead = 10 * time.Second
)

// Replay records proofs, for this instance or for all.
type Replay interface {
	// First reports whether an owner's key is new, and records it until the given time.
	// It is an error if Replay cannot know, or if the owner has too many keys.
	First(ctx context.Context, owner, key [32]byte, until time.Time) (bool, error)
}

// Verifier checks proofs. It is safe for concurrent use, and must not change once it is
// in use.
type Verifier struct {
	// Replay records the used proofs.
	Replay Replay
	// Nonces must be part of each proof (RFC 9449 §9). Nil: no nonces.
	Nonces *Nonces
	// Now is the clock.
	Now func() time.Time
}

// Request is what a proof must fit.
type Request struct {
	// Fields are the values of all DPoP field lines.
	Fields []string
	// Method is compared with htm, with case (RFC 9110 §9.1).
	Method string
	// URL is the target URI for the client, such as "https://api.example.com/a?b".
	// Query and fragment are ignored.
	URL string
	// Token is the access token that came with the proof.
	Token string
}

// Proof is a verified proof.
type Proof struct {
	// Thumbprint is that of the proof's key: SHA-256 in base64url (RFC 7638).
	Thumbprint string
	// ID is the jti. The client chooses it.
	ID string
	// TokenHash is the ath: the hash of the proof's token.
	TokenHash string
	// IssuedAt is the iat.
	IssuedAt time.Time
	// Stale means that the nonce is that of the previous step, so that the client needs
	// the current one (RFC 9449 §8.2).
	Stale bool
}

// Fits reports, in constant time, whether the key of the proof is the one in cnf.jkt of
// an access token (RFC 9449 §6.1). An empty thumbprint, as of an unbound token, never
// fits.
func (p *Proof) Fits(thumbprint string) bool {
	return thumbprint != "" && subtle.ConstantTimeCompare([]byte(p.Thumbprint), []byte(thumbprint)) == 1
}

// Verify makes all checks of RFC 9449 §4.3 except those of [Proof.Fits] and
// [Verifier.Consume]. It returns an [InvalidError], or a [NonceError] for a proof that
// lacks only a fresh nonce.
//
// The cheap checks come before the signature, so a proof that cannot fit costs no
// cryptography.
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

// Consume refuses a used proof at this target URI (RFC 9449 §11.1). Call it last, for a
// valid token that is bound to the proof's key, so that strangers cannot fill the
// memory. The token owns the records, so that its holder cannot fill the memory either.
// Consume returns an [InvalidError] for a replay. It returns an [UnavailableError] if
// the memory is unavailable or full.
func (v *Verifier) Consume(ctx context.Context, p *Proof, targetURL string) error {
	if v.Replay == nil {
		return &UnavailableError{errNoReplay}
	}
	target, err := normalize(targetURL)
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

// replayKey identifies a proof. The length keeps two pairs apart that are equal when
// joined.
func replayKey(id, target string) [32]byte {
	text := binary.BigEndian.AppendUint64(nil, uint64(len(id)))
	text = append(text, id...)
	return sha256.Sum256(append(text, target...))
}

// digest is the hash of RFC 9449: SHA-256 in base64url without padding.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
