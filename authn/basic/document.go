package basic

import "github.com/excorp/caddy-require-auth/authn"

// SecuritySchemes describes how a password is sent.
func (*Basic) SecuritySchemes() []authn.SecurityScheme {
	return []authn.SecurityScheme{{Type: "http", Scheme: "basic"}}
}

var _ authn.SecuritySchemer = (*Basic)(nil)
