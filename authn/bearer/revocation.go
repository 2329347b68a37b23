package bearer

import (
	"errors"
	"strconv"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
)

// names are what a token may be revoked by, and when it was issued.
type names struct {
	tokenID string
	subject string
	issued  int64 // Unix seconds; zero if the token does not say
}

func namesOf(claims map[string]any) names {
	var n names
	n.tokenID, n.subject = nameIn(claims["jti"]), nameIn(claims["sub"])
	if issued, err := jose.NumericDate(claims, "iat"); err == nil {
		n.issued = issued.Unix()
	}
	return n
}

// nameIn spells a name as a revocation does. A number is none (RFC 7519 §4.1.2 and
// §4.1.7), but some issuers write one, and what is revoked by it has to end.
func nameIn(claim any) string {
	switch claim := claim.(type) {
	case string:
		return claim
	case int64:
		return strconv.FormatInt(claim, 10)
	default:
		return ""
	}
}

// keys are the keys of the marks that would end the token: by its digest, by
// its id and by its subject, of its issuer or of any.
func (n names) keys(token, issuer string) []authn.Key {
	all := append(make([]authn.Key, 0, 5), authn.KeyOfToken(authn.DigestOfToken(token)))
	if n.tokenID != "" {
		all = append(all, authn.KeyOfTokenID("", n.tokenID), authn.KeyOfTokenID(issuer, n.tokenID))
	}
	if n.subject != "" {
		all = append(all, authn.KeyOfSubject("", n.subject), authn.KeyOfSubject(issuer, n.subject))
	}
	return all
}

var errRevoked = errors.New("the token was revoked")

// checkRevocation refuses a token that was revoked here or at another
// instance. It returns nil for one that was not.
func (b *Bearer) checkRevocation(known *verified, token string) *authn.Outcome {
	revoking, err := b.store.HasRevocations()
	switch {
	case err != nil:
		unknown := authn.Unavailable(time.Second, err)
		return &unknown
	case !revoking:
		return nil
	}
	var issued time.Time
	if known.names.issued != 0 {
		issued = time.Unix(known.names.issued, 0)
	}
	for _, key := range known.names.keys(token, known.granted.issuer) {
		if mark, found := b.store.Lookup(authn.EntryRevoked, key); found && mark.Covers(issued) {
			revoked := authn.Reject(authn.CodeRevokedToken, errRevoked)
			return &revoked
		}
	}
	return nil
}
