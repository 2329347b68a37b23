package bearer

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// token is a compact JWS, taken apart and not yet verified: its claims must not
// be used for anything but finding out whose it says it is.
type token struct {
	header    map[string]any
	claims    map[string]any
	signed    string // what the signature covers
	signature []byte

	algorithm string
	keyID     string

	// introspected says that the claims are the answer of the issuer.
	introspected bool
}

// parse takes a token apart. It accepts exactly three non-empty base64url
// parts without padding (RFC 7515 §7.1), whose first two are JSON objects
// without repeated members.
func parse(text string) (*token, error) {
	if len(text) > authn.MaxCredential {
		return nil, authn.ErrTooLarge
	}
	header, rest, _ := strings.Cut(text, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	if header == "" || claims == "" || signature == "" || strings.Contains(signature, ".") {
		return nil, errors.New("not three parts separated by dots")
	}
	t := &token{signed: text[:len(header)+1+len(claims)]}
	var err error
	if t.header, err = object(header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if t.claims, err = object(claims); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if t.signature, err = decode(signature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	if err := t.readHeader(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return t, nil
}

// object decodes one part that is a JSON object.
func object(part string) (map[string]any, error) {
	data, err := decode(part)
	if err != nil {
		return nil, err
	}
	members, err := strictjson.Object(data)
	if err != nil {
		return nil, err
	}
	return members, checkSpelling(members)
}

var errNotBase64 = errors.New("not base64url without padding")

// decode decodes base64url strictly: a token has one spelling only, so that
// it cannot come back under another one. The decoder of the standard library
// skips line breaks, which are not in the alphabet either.
func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, errNotBase64
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errNotBase64
	}
	return data, nil
}

// registered are the members that this package gives a meaning to.
var registered = func() map[string]bool {
	names := make(map[string]bool)
	for _, name := range []string{
		"alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c",
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "scp", "client_id", "azp", "cnf",
	} {
		names[name] = true
	}
	return names
}()

// checkSpelling refuses a registered name in other letter case: a reader that
// folds case, as many do, would understand the token differently.
func checkSpelling(members map[string]any) error {
	for name := range members {
		if lower := strings.ToLower(name); lower != name && registered[lower] {
			return errors.New("a registered name is spelled in other letter case")
		}
	}
	return nil
}

// readHeader reads the parameters that matter and refuses those that would
// change what the signature means (RFC 7515 §4.1.11, RFC 7797). jku, jwk, x5u
// and x5c are ignored: keys come from the configuration only.
func (t *token) readHeader() error {
	var ok bool
	if t.algorithm, ok = t.header["alg"].(string); !ok || verifiers[t.algorithm] == nil {
		return errors.New("alg is missing or not supported")
	}
	if kid, present := t.header["kid"]; present {
		if t.keyID, ok = kid.(string); !ok {
			return errors.New("kid is not a string")
		}
	}
	if _, present := t.header["crit"]; present {
		return errors.New("crit names extensions, and none is understood")
	}
	if _, present := t.header["b64"]; present {
		return errors.New("b64 is not understood")
	}
	return nil
}

var (
	errNoKey        = errors.New("no key of the issuer fits kid and alg")
	errBadSignature = errors.New("the signature fits no key")
)

// verify checks the signature with each key that fits.
func (t *token) verify(keys []*keyset.Key) error {
	if len(keys) == 0 {
		return errNoKey
	}
	verifier := verifiers[t.algorithm]
	for _, key := range keys {
		if key.Allows(t.algorithm) && verifier.Verify([]byte(t.signed), t.signature, key.Public) == nil {
			return nil
		}
	}
	return errBadSignature
}
