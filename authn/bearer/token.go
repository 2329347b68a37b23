package bearer

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/claimpath"
	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
)

// token is a token taken apart.
type token struct {
	signed *jose.JWS      // nil for an opaque token
	claims map[string]any // nil before they are verified, see [token.early]

	algorithm string
	keyID     string
}

// introspected reports whether the claims are the answer of the issuer.
func (t *token) introspected() bool { return t.signed == nil }

// early returns a claim that decides whose keys count: `iss` or `tid`.
func (t *token) early(name string) any {
	if t.introspected() {
		return t.claims[name]
	}
	return t.signed.Early(name)
}

// kind is the `typ` of the header.
func (t *token) kind() (value any, present bool) {
	if t.introspected() {
		return nil, false
	}
	value, present = t.signed.Header["typ"]
	return value, present
}

// literal returns a number among the claims as it is written: decoded, one with many
// digits or a fraction is not what it was.
func (t *token) literal(path string) (string, error) {
	if t.introspected() {
		return "", fmt.Errorf("%s is a number that is not exact: the answer must have it as a string", path)
	}
	value, _ := claimpath.Lookup(t.signed.Numbers(), path)
	number, ok := value.(json.Number)
	if !ok {
		return "", fmt.Errorf("%s is not a number", path)
	}
	return number.String(), nil
}

// reader refuses other spellings of the members that have a meaning here.
var reader = jose.Reader{
	Early:       []string{"iss", "tid"}, // they decide which keys count
	SameHeaders: true,

	Header: []string{"alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c"},
	Claims: []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "scope", "scp", "client_id", "azp", "cnf", "typ"},
}

// checkFormat reads a signed token. With introspection, a token that is not signed
// is an opaque one.
func (b *Bearer) checkFormat(v *verification) (err error) {
	text := v.credential.Value
	if b.remote == nil || len(b.keys) > 0 {
		if v.token, err = parse(text); err == nil || b.remote == nil {
			return err
		}
	}
	v.token = new(token)
	switch {
	case len(text) > authn.MaxCredential:
		return authn.ErrTooLarge
	case v.credential.Location == authn.AuthorizationField && !authheader.IsToken68(text):
		// An endpoint may still find a token in such a text, and a firewall before it may see
		// an attack.
		return errNotBearer
	}
	return nil
}

// parse takes a signed token apart. Of its header only alg and kid are used:
// jku, jwk, x5u and x5c are ignored, because keys come from the configuration.
func parse(text string) (*token, error) {
	if len(text) > authn.MaxCredential {
		return nil, authn.ErrTooLarge
	}
	signed, err := reader.Parse(text)
	switch {
	case err == nil:
	case strings.ContainsAny(text, " \t"):
		return nil, errSpace
	case jose.IsEncrypted(text):
		return nil, errEncrypted
	default:
		return nil, err
	}
	t := &token{signed: signed}
	var ok bool
	if t.algorithm, ok = signed.Header["alg"].(string); !ok || !jose.Supported(t.algorithm) {
		return nil, errors.New("header: alg is missing or not supported")
	}
	if kid, present := signed.Header["kid"]; present {
		if t.keyID, ok = kid.(string); !ok {
			return nil, errors.New("header: kid is not a string")
		}
	}
	return t, nil
}

var (
	errNotBearer = errors.New("not the form of credentials in the Authorization field (RFC 6750 §2.1)")
	errEncrypted = errors.New("the token is encrypted (JWE): have the provider issue signed access tokens; Auth0 does so where the client names an audience")
	errSpace     = errors.New("the token contains a space: the field may repeat the word Bearer")
)

// checkHeader refuses an algorithm that is not accepted and a token that says
// it is something else than an access token (RFC 8725 §3.11).
func (b *Bearer) checkHeader(v *verification) error {
	if len(b.Algorithms) > 0 && !slices.Contains(b.Algorithms, v.algorithm) {
		return fmt.Errorf("alg %s is not in the list of algorithms", v.algorithm)
	}
	kind, present := v.kind()
	name, _ := kind.(string)
	name = strings.TrimPrefix(strings.ToLower(name), "application/")
	switch {
	case name == profileAccessToken:
		return nil
	case b.Profile == profileAccessToken:
		return &mismatch.ValueError{Reason: "typ is not at+jwt (RFC 9068 §4)", Found: mismatch.Printable(kind)}
	case !present || name == "jwt":
		return nil
	}
	return &mismatch.ValueError{Reason: "typ is not that of an access token", Expected: "at+jwt, JWT or none", Found: mismatch.Printable(kind)}
}

// maxShown bounds what an explanation repeats of a claim, in bytes.
const maxShown = 200

// shorten is a claim for an explanation.
func shorten(claim any) string {
	text, err := json.Marshal(claim)
	if err != nil || len(text) > maxShown {
		return "of some length"
	}
	return string(text)
}

// ReadsForm reports that the scheme reads a JWS, and with introspection any token.
func (b *Bearer) ReadsForm(jws bool) bool { return jws || b.Introspection != nil }

var _ capability.FormReader = (*Bearer)(nil)
