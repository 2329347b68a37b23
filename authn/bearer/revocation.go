package bearer

import (
	"errors"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// revocationNames are the names under which a token may be revoked, and when
// it was issued.
type revocationNames struct {
	keys   []authn.Key
	issued time.Time // zero if the token does not say
}

// naming are the claims by which tokens are revoked.
var naming = []struct {
	claim string
	keyOf func(issuer, name string) authn.Key
}{{"jti", authn.KeyOfTokenID}, {"sub", authn.KeyOfSubject}}

// revocable finds the names of a token, given its SHA-256.
func revocable(claims map[string]any, digest authn.Key) revocationNames {
	names := revocationNames{keys: make([]authn.Key, 1, 1+2*len(naming))}
	names.keys[0] = authn.KeyOfToken(digest)
	if issued, err := instant(claims, "iat"); err == nil {
		names.issued = issued
	}
	issuer, _ := claims["iss"].(string)
	for _, by := range naming {
		name, _ := claims[by.claim].(string)
		if name == "" {
			continue
		}
		names.keys = append(names.keys, by.keyOf("", name))
		if issuer != "" {
			names.keys = append(names.keys, by.keyOf(issuer, name))
		}
	}
	return names
}

var errRevoked = errors.New("the token was revoked")

// checkRevocation refuses a token that was revoked here or at another
// instance. It returns nil for one that was not.
func (b *Bearer) checkRevocation(known verified) *authn.Outcome {
	if err := b.store.Ready(); err != nil {
		unknown := authn.Defer(time.Second, err)
		return &unknown
	}
	for _, key := range known.names.keys {
		if mark, found := b.store.Marked(authn.MarkRevoked, key); found && mark.Covers(known.names.issued) {
			revoked := authn.Reject(authn.CodeRevokedToken, errRevoked)
			return &revoked
		}
	}
	return nil
}
