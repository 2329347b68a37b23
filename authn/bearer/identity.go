package bearer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/claimpath"
)

// identify reads the identity of the caller from verified claims.
//
// A token whose subject is its client has no user. Otherwise a client could register
// under the name of a user, and pass as that user (RFC 9700 §4.15).
func (b *Bearer) identify(v *verification) error {
	identity := &authn.Identity{
		Claims: authn.ClaimsOf(v.claims),
		Scopes: scopesIn(v.claims, b.ScopeClaims),
		Roles:  rolesIn(v.claims, b.RoleClaims),
	}
	v.identity = identity
	issuer, _ := v.claims["iss"].(string)
	identity.Issuer = cmp.Or(issuer, b.Issuer) // optional in an answer (RFC 7662 §2.2)
	user, err := b.user(v.token)
	if user == "" && err == nil && v.introspected() && b.UserClaim == subjectClaim {
		user, err = name(v.claims, "username") // RFC 7662 §2.2
	}
	if err != nil {
		return err
	}
	client := b.client(v.claims)
	if subject, _ := v.claims["sub"].(string); client != "" && client == subject {
		identity.Client = client
		return nil
	}
	identity.ID, identity.Client = user, client
	return nil
}

// subjectClaim names the user unless another claim is configured to.
const subjectClaim = "sub"

// user reads the claim that names the user. Some issuers number their users: such a
// number is the user as it is written, to the last digit. A `sub` is always a string
// (RFC 7519 §4.1.2).
func (b *Bearer) user(t *token) (string, error) {
	value, _ := claimpath.Lookup(t.claims, b.UserClaim)
	switch value := value.(type) {
	case int64:
		if b.UserClaim != subjectClaim {
			return strconv.FormatInt(value, 10), nil
		}
	case float64:
		if b.UserClaim != subjectClaim {
			return t.literal(b.UserClaim)
		}
	}
	return name(t.claims, b.UserClaim)
}

// name reads the claim that names the user: a string (RFC 7519 §4.1.2) without
// characters that a log or a header field cannot have.
func name(claims map[string]any, path string) (string, error) {
	value, present := claimpath.Lookup(claims, path)
	if !present {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", path)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s holds a control character", path)
	}
	return text, nil
}

// client reads the first of the client claims that has a value.
func (b *Bearer) client(claims map[string]any) string {
	for _, claim := range b.ClientClaims {
		value, _ := claimpath.Lookup(claims, claim)
		if client, _ := value.(string); client != "" {
			return client
		}
	}
	return ""
}

// scopesIn gathers the scopes of a token. Only a space separates them (RFC 6749
// §3.3): with a tab or a no-break space an issuer has written one scope. An invalid
// scope-token does not count, because upstreams get the scopes joined by spaces.
func scopesIn(claims map[string]any, paths []string) []string {
	all := collect(claims, paths, func(value any) []string {
		if text, ok := value.(string); ok {
			return strings.Split(text, " ")
		}
		return nil
	})
	return slices.DeleteFunc(all, func(scope string) bool { return !authheader.IsScopeToken(scope) })
}

// rolesIn gathers the roles of a token. Zitadel writes an object with a member for each
// role, whose value is an object as well.
func rolesIn(claims map[string]any, paths []string) []string {
	return collect(claims, paths, func(value any) (roles []string) {
		switch value := value.(type) {
		case string:
			return []string{value}
		case map[string]any:
			for _, role := range slices.Sorted(maps.Keys(value)) {
				if _, ok := value[role].(map[string]any); ok {
					roles = append(roles, role)
				}
			}
		}
		return roles
	})
}

// collect gathers strings from several claims: from a list each member, and from any
// other value what read returns.
func collect(claims map[string]any, paths []string, read func(any) []string) []string {
	var all []string
	for _, path := range paths {
		value, _ := claimpath.Lookup(claims, path)
		list, isList := value.([]any)
		switch {
		case isList:
		case all == nil:
			all = read(value)
		default:
			all = append(all, read(value)...)
		}
		for _, member := range list {
			if text, ok := member.(string); ok {
				all = append(all, text)
			}
		}
	}
	return all
}
