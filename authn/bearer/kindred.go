package bearer

import (
	"fmt"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
)

// Kin says where the scheme looks for a token.
func (b *Bearer) Kin() string {
	return fmt.Sprint("bearer ", enabled(b.DPoP), b.TokenFrom)
}

// maxIssuer is how much of an issuer is remembered, in bytes: none that is
// configured has as many.
const maxIssuer = 2000

// Owner reads the issuer that a token names, once for the same token.
func (*Bearer) Owner(credential authn.Credential) string {
	if len(credential.Value) > authn.MaxCredential {
		return ""
	}
	digest := digestOf(credential.Value)
	if issuer, found := issuers.get(digest); found {
		return issuer
	}
	issuer, _ := jose.Claims(credential.Value)["iss"].(string)
	issuer = strings.Clone(issuer[:min(len(issuer), maxIssuer)])
	issuers.put(digest, issuer)
	return issuer
}

// Owns is the issuer, and with introspection also the tokens that only the
// issuer can read.
func (b *Bearer) Owns() (issuer string, unnamed bool) {
	return b.Issuer, b.Introspection != nil
}

var _ authn.Kindred = (*Bearer)(nil)
