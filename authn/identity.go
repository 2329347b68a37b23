package authn

import (
	"strings"
	"time"
)

// Identity is a caller who is known. It is immutable: caches and requests
// share it.
type Identity struct {
	// ID is the user's name within the issuer, or the scheme. A token without
	// a subject has none, and so has one that a client got for itself.
	ID string

	// Client is the OAuth client that the credential was issued to, if known.
	Client string

	// Issuer is who vouches for the caller: the `iss` of a token, else empty.
	Issuer string

	// Scopes and Roles are what the credential grants, as granted: what a
	// scope implies is applied where it is asked for.
	Scopes []string
	Roles  []string

	// Claims is everything verified about the caller.
	Claims map[string]any

	// Expires is when the credential ends; zero for never.
	Expires time.Time
}

// Claim finds a claim by its path, see [Lookup].
func (i *Identity) Claim(path string) (any, bool) {
	return Lookup(i.Claims, path)
}

// Lookup finds the claim at a path such as `realm_access.roles`. A member
// whose name itself holds dots, such as `https://example.com/roles`, is found
// by that name; the longest name that exists decides at each level.
func Lookup(claims map[string]any, path string) (any, bool) {
	if value, ok := claims[path]; ok {
		return value, true
	}
	for end := strings.LastIndexByte(path, '.'); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		if inner, ok := claims[path[:end]].(map[string]any); ok {
			if value, ok := Lookup(inner, path[end+1:]); ok {
				return value, true
			}
		}
	}
	return nil, false
}
