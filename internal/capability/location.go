package capability

import (
	"fmt"
	"slices"

	"github.com/excorp/caddy-require-auth/authn"
)

// CheckDistinct refuses a location that is listed twice: its credential would count
// as two.
func CheckDistinct(locations []authn.Location) error {
	for i, location := range locations {
		if slices.ContainsFunc(locations[:i], location.Same) {
			return fmt.Errorf("duplicate %s %s: keep one", location.Kind, location.Name)
		}
	}
	return nil
}

// KeysAt returns a security scheme for each location of a credential. The first one
// has no variant. OpenAPI supports header, query and cookie.
func KeysAt(locations []authn.Location) []authn.SecurityScheme {
	var all []authn.SecurityScheme
	for _, location := range locations {
		if location.Kind != authn.InHeader && location.Kind != authn.InQuery && location.Kind != authn.InCookie {
			continue
		}
		one := authn.SecurityScheme{Type: "apiKey", Kind: location.Kind, Name: location.Name}
		if len(all) > 0 {
			one.Variant = string(location.Kind)
		}
		all = append(all, one)
	}
	return all
}
