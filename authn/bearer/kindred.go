package bearer

import (
	"fmt"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
)

// Group says where the scheme looks for a token.
func (b *Bearer) Group() string {
	return fmt.Sprint("bearer ", enabled(b.DPoP), b.TokenFrom)
}

// maxIssuer is how much of an issuer is remembered, in bytes: none that is
// configured has as many.
const maxIssuer = 2000

// IssuerOf reads the issuer that a token names, once for the same token.
func (*Bearer) IssuerOf(credential authn.Credential) string {
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

// AcceptsIssuer is the issuer, and with introspection also the tokens that only the
// issuer can read.
func (b *Bearer) AcceptsIssuer() (issuer string, unnamed bool) {
	return b.Issuer, b.Introspection != nil
}

var _ authn.Grouped = (*Bearer)(nil)
