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

// Revocation names credentials that are no longer good, by exactly one of the id
// of a token, a subject and a digest of the whole token.
type Revocation struct {
	// TokenID is the `jti` of a token.
	TokenID string
	// Subject is the `sub` of tokens; those issued before Before are meant. It is
	// also the id of an API key, a Basic user or another caller whose credential
	// does not say when it was issued: those are revoked whatever Before says.
	Subject string
	Before  time.Time
	// Digest is that of a token, as [DigestOfToken] makes it.
	Digest Key

	// Issuer limits a TokenID or a Subject to the tokens of one issuer. Empty:
	// whoever issued them, and for a Subject the callers of all other schemes too.
	Issuer string

	// Scheme limits a Subject to the callers of one scheme whose credentials are
	// not tokens, by the name under which it is declared.
	Scheme string

	// Until is when the revocation may be forgotten, because whatever it is
	// about has expired by then. Default: [KeepRevocation] from now.
	Until time.Time
}

// Entry makes the mark that ends what the revocation names.
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
	if r.Subject != "" && r.Scheme == "" {
		entry.Before = r.Before
		if r.Before.IsZero() {
			entry.Before = now
		}
	}
	return entry, nil
}

// Key is the key of the mark. It depends only on what the revocation names.
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
			key = KeyOfCaller(r.Scheme, r.Subject)
		}
	}
	if r.Digest != (Key{}) {
		names++
		key = KeyOfToken(r.Digest)
	}
	switch {
	case names != 1:
		return Key{}, errors.New("a revocation names exactly one of a token's id, a subject and a digest")
	case r.Scheme != "" && (r.Subject == "" || r.Issuer != ""):
		return Key{}, errors.New("a scheme limits a subject only, and not beside an issuer")
	}
	return key, nil
}

// About says what a revocation concerns. It holds no credential: of a token
// only its digest.
type About struct {
	// TokenID, Subject and Digest are what the revocation goes by: one of them.
	TokenID string `json:"jti,omitempty"`
	Subject string `json:"sub,omitempty"`
	Digest  string `json:"digest,omitempty"`
	// Issuer or Scheme limit the revocation.
	Issuer string `json:"issuer,omitempty"`
	Scheme string `json:"scheme,omitempty"`
}

// maxName bounds each name in an [About], in bytes. A longer one is cut there
// and ends in an ellipsis; the revocation itself goes by the whole name.
const maxName = 256

func (r Revocation) about() string {
	about := About{TokenID: cut(r.TokenID), Subject: cut(r.Subject), Issuer: cut(r.Issuer), Scheme: cut(r.Scheme)}
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

// ReadAbout reads what a mark says about its revocation. It is empty for a mark
// that says nothing.
func ReadAbout(entry Entry) (about About) {
	if json.Unmarshal([]byte(entry.About), &about) != nil {
		return About{}
	}
	return about
}

// CheckCaller returns why a caller was revoked that a scheme let in whose
// credentials are not tokens: by the name of the scheme or by the subject alone.
// It is [ErrRevoked], or the error of a store that does not know yet.
func CheckCaller(store Store, scheme, id string) error {
	revoking, err := store.HasRevocations()
	if err != nil || !revoking || id == "" {
		return err
	}
	for _, key := range [...]Key{KeyOfCaller(scheme, id), KeyOfSubject("", id)} {
		if _, found := store.Lookup(EntryRevoked, key); found {
			return ErrRevoked
		}
	}
	return nil
}

// ErrRevoked is why a caller is refused who was revoked.
var ErrRevoked = errors.New("the caller was revoked: see GET /auth/revocations of the admin API")

// KeyOfTokenID is the key of the revocation of a `jti`, of one issuer or, if
// that is empty, of any.
func KeyOfTokenID(issuer, id string) Key { return KeyOf("jti", issuer, id) }

// KeyOfSubject is the key of the revocation of a `sub`, of one issuer or, if
// that is empty, of any.
func KeyOfSubject(issuer, subject string) Key { return KeyOf("sub", issuer, subject) }

// KeyOfCaller is the key of the revocation of a caller of one scheme whose
// credentials are not tokens, such as the id of an API key.
func KeyOfCaller(scheme, id string) Key { return KeyOf("caller", scheme, id) }

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
