package bearer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// token is a token taken apart. Before it is verified its claims must not be
// used for anything but finding out whose it says it is.
type token struct {
	signed *jose.JWS // nil if its issuer was asked instead
	claims map[string]any

	algorithm string
	keyID     string

	// audience is that of the gate, if the token is good only there.
	audience string
}

// introspected reports whether the claims are the answer of the issuer.
func (t *token) introspected() bool { return t.signed == nil }

// literal returns a number among the claims as it is written: decoded, one with many
// digits or a fraction is not what it was.
func (t *token) literal(path string) (string, error) {
	if t.introspected() {
		return "", fmt.Errorf("%s is a number that is not exact: the answer must have it as a string", path)
	}
	value, _ := authn.Lookup(t.signed.Numbers(), path)
	number, ok := value.(json.Number)
	if !ok {
		return "", fmt.Errorf("%s is not a number", path)
	}
	return number.String(), nil
}

// kind is the `typ` of the header.
func (t *token) kind() (value any, present bool) {
	if t.introspected() {
		return nil, false
	}
	value, present = t.signed.Header["typ"]
	return value, present
}

// reader knows the members that this package gives a meaning to.
var reader = jose.Reader{
	SameHeaders: true,

	Header: []string{"alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c"},
	Claims: []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "client_id", "azp", "cnf", "typ"},
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
	t := &token{signed: signed, claims: signed.Claims}
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
	errNoKey        = errors.New("no key of the issuer fits kid and alg")
	errBadSignature = errors.New("the signature fits no key")
	errGraph        = errors.New("the signature fits no key: the header has a nonce, as tokens for Microsoft Graph do, which only Graph can verify; request a token with a scope of this API")
	errEncrypted    = errors.New("the token is encrypted (JWE): have the provider issue signed access tokens; Auth0 does so where the client names an audience")
	errSpace        = errors.New("the token has a space in it: is the word Bearer in the field twice?")
)

// verify checks the signature with each key that fits.
func (t *token) verify(keys []*keyset.Key) error {
	failure := errNoKey
	for _, key := range keys {
		if !key.Allows(t.algorithm) {
			continue
		}
		if t.signed.Verify(t.algorithm, key.Public) == nil {
			return nil
		}
		failure = errBadSignature
	}
	return failure
}

// diagnose says of a signature that was not found good why it cannot be.
func (b *Bearer) diagnose(t *token, failure error) error {
	if _, hashed := t.signed.Header["nonce"]; hashed && errors.Is(failure, errBadSignature) {
		return errGraph
	}
	if t.keyID == "" || !errors.Is(failure, errNoKey) {
		return failure
	}
	for _, origin := range b.origins {
		if why := origin.keys.All().WhySkipped(t.keyID); why != "" {
			return fmt.Errorf("%w: the published key cannot be used: %s", failure, why)
		}
	}
	return failure
}

// maxShown bounds what an explanation repeats of a claim, in bytes.
const maxShown = 200

// shown is a claim for an explanation.
func shown(claim any) string {
	text, err := json.Marshal(claim)
	if err != nil || len(text) > maxShown {
		return "of some length"
	}
	return string(text)
}

// shownKey is which key the token names, for an explanation.
func (t *token) shownKey() string {
	if t.keyID == "" {
		return "no kid"
	}
	return "kid " + shown(t.keyID)
}
