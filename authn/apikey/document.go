package apikey

import "github.com/excorp/caddy-require-auth/authn"

// SecuritySchemes says how a key is sent.
func (a *APIKey) SecuritySchemes() []authn.SecurityScheme {
	if len(a.From) == 0 {
		return authn.KeysAt([]authn.Location{DefaultPlace})
	}
	return authn.KeysAt(a.From)
}

var _ authn.SecuritySchemer = (*APIKey)(nil)
