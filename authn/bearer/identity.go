package bearer

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// identify makes an identity of verified claims.
//
// A token that a client got for itself, whose subject is the client, names no
// user: otherwise a client that registers under the name of a user would be
// taken for them (RFC 9700 §4.15).
func (b *Bearer) identify(t *token, expires time.Time) (*authn.Identity, error) {
	identity := &authn.Identity{
		Claims:  authn.ClaimsOf(t.claims),
		Scopes:  scopesIn(t.claims, b.ScopeClaims),
		Roles:   collect(t.claims, b.RoleClaims, func(role string) []string { return []string{role} }),
		Expires: expires,
	}
	issuer, _ := t.claims["iss"].(string)
	identity.Issuer = cmp.Or(issuer, b.Issuer) // an answer need not say whose it is (RFC 7662 §2.2)
	user, err := b.user(t)
	if user == "" && err == nil && t.introspected() && b.UserClaim == subjectClaim {
		user, err = name(t.claims, "username") // RFC 7662 §2.2: for people, and often of their own choice
	}
	if err != nil {
		return nil, err
	}
	client, _ := t.claims["client_id"].(string)
	if subject, _ := t.claims["sub"].(string); client != "" && client == subject {
		identity.Client = client
		return identity, nil
	}
	identity.ID, identity.Client = user, client
	return identity, nil
}

// user reads the claim that names the user. Some issuers number their users: such a
// number is the user as it is written, to the last digit. A `sub` is always a string
// (RFC 7519 §4.1.2).
func (b *Bearer) user(t *token) (string, error) {
	value, _ := authn.Lookup(t.claims, b.UserClaim)
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

// subjectClaim names the user unless another claim is configured to.
const subjectClaim = "sub"

// name reads the claim that names the user. It must be a string (RFC 7519
// §4.1.2) that can stand in a log and in a header field.
func name(claims map[string]any, path string) (string, error) {
	value, present := authn.Lookup(claims, path)
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

// scopesIn gathers the scopes of a token. Only a space separates them (RFC 6749
// §3.3): with a tab or a no-break space an issuer has written one scope, and not
// two. What is no scope-token is none, so that what upstreams are told, joined by
// spaces, does not read as more than was granted.
func scopesIn(claims map[string]any, paths []string) []string {
	all := collect(claims, paths, func(text string) []string { return strings.Split(text, " ") })
	return slices.DeleteFunc(all, func(scope string) bool { return !authn.IsScopeToken(scope) })
}

// collect gathers strings from several claims: from lists each member, from a
// string what split makes of it. Anything else counts as absent, which denies.
func collect(claims map[string]any, paths []string, split func(string) []string) []string {
	var all []string
	for _, path := range paths {
		switch value, _ := authn.Lookup(claims, path); value := value.(type) {
		case string:
			all = append(all, split(value)...)
		case []any:
			for _, member := range value {
				if text, ok := member.(string); ok {
					all = append(all, text)
				}
			}
		}
	}
	return all
}
