package authn

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// KeepRevocation is how long a revocation holds that does not say: longer than
// any access token should be good.
const KeepRevocation = 365 * 24 * time.Hour

// Revocation names tokens that are no longer good, by exactly one of their id,
// their subject and a digest of the whole token.
type Revocation struct {
	// TokenID is the `jti` of a token.
	TokenID string
	// Subject is the `sub` of tokens; those issued before Before are meant.
	Subject string
	Before  time.Time
	// Digest is that of a token, as [DigestOfToken] makes it.
	Digest Key

	// Issuer limits a TokenID or a Subject to the tokens of one issuer. Empty:
	// whoever issued them.
	Issuer string

	// Until is when the revocation may be forgotten, because whatever it is
	// about has expired by then. Default: [KeepRevocation] from now.
	Until time.Time
}

// Mark makes the mark that ends what the revocation names.
func (r Revocation) Mark(now time.Time) (Mark, error) {
	mark := Mark{Kind: MarkRevoked, Until: r.Until}
	if mark.Until.IsZero() {
		mark.Until = now.Add(KeepRevocation)
	}
	if !mark.Until.After(now) {
		return mark, errors.New("until is in the past")
	}
	named := 0
	if r.TokenID != "" {
		named++
		mark.Key = KeyOfTokenID(r.Issuer, r.TokenID)
	}
	if r.Subject != "" {
		named++
		mark.Key, mark.Before = KeyOfSubject(r.Issuer, r.Subject), r.Before
		if r.Before.IsZero() {
			mark.Before = now
		}
	}
	if r.Digest != (Key{}) {
		named++
		mark.Key = KeyOfToken(r.Digest)
	}
	if named != 1 {
		return mark, errors.New("a revocation names exactly one of a token's id, a subject and a digest")
	}
	return mark, nil
}

// KeyOfTokenID is the key of the revocation of a `jti`, of one issuer or, if
// that is empty, of any.
func KeyOfTokenID(issuer, id string) Key { return KeyOf("jti", issuer, id) }

// KeyOfSubject is the key of the revocation of a `sub`, of one issuer or, if
// that is empty, of any.
func KeyOfSubject(issuer, subject string) Key { return KeyOf("sub", issuer, subject) }

// DigestOfToken is the SHA-256 of what makes a token the one it is. Of a signed
// one that is what the signature covers: to an ECDSA signature (r, s) there is
// (r, n-s), which is as good, so who holds such a token can write it in another
// way. Of any other token it is the whole.
func DigestOfToken(token string) Key {
	if end := strings.LastIndexByte(token, '.'); end > 0 && isSigned(token[:end]) {
		return sha256.Sum256([]byte(token[:end]))
	}
	return sha256.Sum256([]byte(token))
}

// isSigned reports whether a text is what the signature of a compact JWS covers:
// two parts, of which the first is a JSON object (RFC 7515 §7.1).
func isSigned(text string) bool {
	header, claims, _ := strings.Cut(text, ".")
	if claims == "" || strings.Contains(claims, ".") {
		return false
	}
	decoded, err := base64.RawURLEncoding.DecodeString(header)
	var members map[string]json.RawMessage
	return err == nil && json.Unmarshal(decoded, &members) == nil && members != nil
}

// KeyOfToken is the key of the revocation of a token, given [DigestOfToken].
func KeyOfToken(digest Key) Key { return KeyOf("token", hex.EncodeToString(digest[:])) }
