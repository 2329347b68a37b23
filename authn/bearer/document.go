package bearer

import (
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/capability"
)

// SecuritySchemes says how a token is sent: in Authorization, or wherever else it may
// be. If keys are found by discovery, clients can find the OpenID provider too.
func (b *Bearer) SecuritySchemes() []authn.SecurityScheme {
	var all []authn.SecurityScheme
	var elsewhere []authn.Location
	locations := b.TokenFrom
	if len(locations) == 0 {
		locations = []authn.Location{authn.AuthorizationField}
	}
	for _, location := range locations {
		if location = withDefaultName(location); location != authn.AuthorizationField {
			elsewhere = append(elsewhere, location)
			continue
		}
		for _, scheme := range b.authenticationSchemes() {
			one := authn.SecurityScheme{Type: "http", Scheme: strings.ToLower(scheme)}
			if scheme == bearerScheme {
				one.BearerFormat = b.format() // validators refuse it elsewhere
			}
			if len(all) > 0 {
				one.Variant = one.Scheme
			}
			all = append(all, one)
		}
		if b.discovers() {
			all = append(all, authn.SecurityScheme{
				Variant: "openid", Type: "openIdConnect",
				OpenIDConnectURL: strings.TrimSuffix(b.Issuer, "/") + "/.well-known/openid-configuration",
			})
		}
	}
	for _, one := range capability.KeysAt(elsewhere) {
		if len(all) > 0 {
			one.Variant = string(one.Kind)
		}
		all = append(all, one)
	}
	return all
}

// format is what the tokens are, if they are all of one kind.
func (b *Bearer) format() string {
	if b.Introspection != nil {
		return ""
	}
	return "JWT"
}

// discovers reports whether the issuer publishes where its keys are.
func (b *Bearer) discovers() bool {
	return strings.HasPrefix(b.Issuer, "https://") && !block.HasPlaceholder(b.Issuer) && !b.isTemplate() &&
		b.JWKS == "" && len(b.KeyFiles) == 0 && len(b.HMACSecret) == 0 && b.Introspection == nil && b.DPoP != bindingRequired
}

var _ authn.SecuritySchemer = (*Bearer)(nil)
