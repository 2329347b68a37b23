package apikey

import (
	"cmp"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
)

// SecuritySchemes describes how a key is sent. It works before Provision.
func (a *APIKey) SecuritySchemes() []authn.SecurityScheme {
	if len(a.From) == 0 {
		return capability.KeysAt([]authn.Location{defaultLocation})
	}
	var all []authn.SecurityScheme
	for _, location := range a.From {
		if location.Kind == inAuthorization {
			all = append(all, authn.SecurityScheme{Type: "http", Scheme: strings.ToLower(schemeOf(location))})
		}
	}
	all = append(all, capability.KeysAt(a.From)...)
	for i := range all[min(1, len(all)):] { // the first has no variant
		one := &all[i+1]
		one.Variant = cmp.Or(one.Variant, string(one.Kind), one.Scheme)
	}
	return all
}

var _ authn.SecuritySchemer = (*APIKey)(nil)
