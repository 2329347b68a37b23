package bearer

import (
	"fmt"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/compact"
)

// Kin says where the scheme looks for a token.
func (b *Bearer) Kin() string {
	return fmt.Sprint("bearer ", enabled(b.DPoP), b.TokenFrom)
}

// Owner reads the issuer that a token names.
func (*Bearer) Owner(credential authn.Credential) string {
	if len(credential.Value) > authn.MaxCredential {
		return ""
	}
	issuer, _ := compact.Claims(credential.Value)["iss"].(string)
	return issuer
}

// Owns is the issuer, and with introspection also the tokens that only the
// issuer can read.
func (b *Bearer) Owns() (issuer string, unnamed bool) {
	return b.Issuer, b.Introspection != nil
}

var _ authn.Kindred = (*Bearer)(nil)
