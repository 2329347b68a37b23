package store

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// KeepRevocation is the default lifetime of a revocation. It is longer than that of
// any access token.
const KeepRevocation = 365 * 24 * time.Hour

// Revocation names revoked credentials by exactly one of: the id of a token, a
// subject, a session, a digest of the token.
type Revocation struct {
	// TokenID is the `jti` of a token.
	TokenID string
	// Subject is the `sub`, or the user, of tokens that were issued before Before. It is
	// also the id of an API key, a Basic user or another caller whose credential does
	// not say when it was issued. Before does not limit those.
	Subject string
	Before  time.Time
	// Session is the `sid` of tokens. Before limits them if it is set.
	Session string
	// Digest is the result of [DigestOfToken].
	Digest Key

	// Issuer limits a TokenID, a Subject or a Session to the tokens of one issuer. If it
	// is empty, they mean the tokens of all issuers, and a Subject also the callers of
	// all other schemes.
	Issuer string

	// Scheme limits a Subject to the callers of one declared scheme whose credentials
	// are not tokens.
	Scheme string

	// Until is when the revocation ends: the credential has expired by then. Default:
	// [KeepRevocation] from now.
	Until time.Time
}

// Entry returns the entry of the revocation.
func (r Revocation) Entry(now time.Time) (Entry, error) {
	entry := Entry{Kind: EntryRevoked, Until: r.Until, Created: now.Truncate(time.Millisecond), About: r.about()}
	if entry.Until.IsZero() {
		entry.Until = now.Add(KeepRevocation)
	}
	if !entry.Until.After(now) {
		return entry, errors.New("until is in the past")
	}
	var err error
	if entry.Key, err = r.Key(); err != nil {
		return entry, err
	}
	if r.Session != "" || r.Subject != "" && r.Scheme == "" {
		entry.Before = r.Before
		if r.Before.IsZero() && r.Session == "" {
			entry.Before = now
		}
	}
	return entry, nil
}

// Key is the key of the entry. It depends only on what the revocation names.
func (r Revocation) Key() (key Key, err error) {
	names := 0
	if r.TokenID != "" {
		names++
		key = KeyOfTokenID(r.Issuer, r.TokenID)
	}
	if r.Subject != "" {
		names++
		key = KeyOfSubject(r.Issuer, r.Subject)
		if r.Scheme != "" {
			key = keyOfCaller(r.Scheme, r.Subject)
		}
	}
	if r.Session != "" {
		names++
		key = KeyOfSession(r.Issuer, r.Session)
	}
	if r.Digest != (Key{}) {
		names++
		key = KeyOfToken(r.Digest)
	}
	switch {
	case names != 1:
		return Key{}, errors.New("a revocation names exactly one of a token's id, a subject, a session and a digest")
	case r.Scheme != "" && (r.Subject == "" || r.Issuer != ""):
		return Key{}, errors.New("a scheme limits a subject only, and not beside an issuer")
	}
	return key, nil
}

// About says what a revocation concerns. It holds the digest of a token, never a
// credential.
type About struct {
	// TokenID, Subject, Session or Digest is what the revocation goes by.
	TokenID string `json:"jti,omitempty"`
	Subject string `json:"sub,omitempty"`
	Session string `json:"sid,omitempty"`
	Digest  string `json:"digest,omitempty"`
	// Issuer or Scheme limit the revocation.
	Issuer string `json:"issuer,omitempty"`
	Scheme string `json:"scheme,omitempty"`
}

// maxName bounds each name in an [About], in bytes. A longer name is cut and ends in
// an ellipsis. The revocation goes by the whole name.
const maxName = 256

func (r Revocation) about() string {
	about := About{TokenID: cut(r.TokenID), Subject: cut(r.Subject), Session: cut(r.Session), Issuer: cut(r.Issuer), Scheme: cut(r.Scheme)}
	if r.Digest != (Key{}) {
		about.Digest = hex.EncodeToString(r.Digest[:])
	}
	text, err := json.Marshal(about)
	if err != nil {
		return "" // strings do not fail
	}
	return string(text)
}

func cut(name string) string {
	if len(name) <= maxName {
		return name
	}
	return strings.ToValidUTF8(name[:maxName], "") + "…"
}

// ReadAbout reads the About of an entry. It is empty for an entry of an older
// instance.
func ReadAbout(entry Entry) (about About) {
	if json.Unmarshal([]byte(entry.About), &about) != nil {
		return About{}
	}
	return about
}

// CheckCaller returns [ErrRevoked] for a revoked caller of a scheme whose credentials
// are not tokens. It looks for revocations of the subject, with the name of the
// scheme and without. Another error means that the store does not know yet.
func CheckCaller(store Store, scheme, id string) error {
	revoking, err := store.HasRevocations()
	if err != nil || !revoking || id == "" {
		return err
	}
	for _, key := range [...]Key{keyOfCaller(scheme, id), KeyOfSubject("", id)} {
		if _, found := store.Lookup(EntryRevoked, key); found {
			return ErrRevoked
		}
	}
	return nil
}

// ErrRevoked is the error for a revoked caller.
var ErrRevoked = errors.New("the caller was revoked: see GET /auth/revocations of the admin API")

// KeyOfTokenID is the key of the revocation of a `jti`. An empty issuer means all
// issuers.
func KeyOfTokenID(issuer, id string) Key { return KeyOf("jti", issuer, id) }

// KeyOfSubject is the key of the revocation of a `sub`. An empty issuer means all
// issuers.
func KeyOfSubject(issuer, subject string) Key { return KeyOf("sub", issuer, subject) }

// KeyOfSession is the key of the revocation of a `sid`. An empty issuer means all
// issuers.
func KeyOfSession(issuer, session string) Key { return KeyOf("sid", issuer, session) }

// keyOfCaller is the key of the revocation of a caller of one scheme, such as the id
// of an API key.
func keyOfCaller(scheme, id string) Key { return KeyOf("caller", scheme, id) }

// DigestOfToken is a SHA-256 digest that identifies a token. For a signed token it
// covers the signed part. An ECDSA signature (r, s) has a second valid form (r, n-s),
// so a holder can rewrite the signature. It covers the whole of any other token.
func DigestOfToken(token string) Key {
	if end := strings.LastIndexByte(token, '.'); end > 0 && isSigned(token[:end]) {
		return sha256.Sum256([]byte(token[:end]))
	}
	return sha256.Sum256([]byte(token))
}

// isSigned reports whether a text is the signed part of a compact JWS. Such a text has
// two parts, and the first is a JSON object (RFC 7515 §7.1).
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
