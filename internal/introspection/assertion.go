package introspection

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// assertionType is the client_assertion_type of RFC 7523 §2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assertionFor is the lifetime of an assertion.
const assertionFor = time.Minute

// assertion signs a JWT for each call (RFC 7523 §3).
//
// Its audience is the issuer, if that is known. RFC 9126 §2 and FAPI 2.0 §5.3.2.1 have
// servers accept it at every endpoint. The revision of RFC 7523
// (draft-ietf-oauth-rfc7523bis) accepts nothing else: a server could name the endpoint
// of another one, and use the assertion there. Without an issuer it is the endpoint.
func (c Config) assertion() (authenticator, error) {
	key, err := readSigner(c.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("introspection: private_key_jwt: %w", err)
	}
	id, issuer := c.ClientID, c.Issuer
	sign := func(form url.Values, _ http.Header, address string, now time.Time) error {
		assertion, err := key.sign(map[string]any{
			"iss": id, "sub": id, "aud": cmp.Or(issuer, address), "jti": rand.Text(),
			"iat": now.Unix(), "exp": now.Add(assertionFor).Unix(),
		})
		if err != nil {
			return err
		}
		form.Set("client_id", id)
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
		return nil
	}
	// A key that cannot sign is an error at load, and not at the first token.
	return sign, sign(url.Values{}, nil, c.Endpoint, time.Time{})
}

// signer is a private key with its algorithm and header.
type signer struct {
	key       any
	algorithm jwa.SignatureAlgorithm
	headers   jws.Headers
}

// sign hides the error of the library, which may contain anything.
func (s *signer) sign(claims map[string]any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := jws.Sign(payload, jws.WithKey(s.algorithm, s.key, jws.WithProtectedHeaders(s.headers)))
	if err != nil {
		return "", errors.New("the private key cannot sign")
	}
	return string(signed), nil
}

// readSigner reads a private key, PEM or JWK. Errors contain no part of it.
func readSigner(data []byte) (*signer, error) {
	read, err := jose.ParsePrivateKey(data)
	if err != nil {
		return nil, err
	}
	algorithm, err := algorithmOf(read.Key, read.Algorithm)
	if err != nil {
		return nil, err
	}
	s := &signer{key: read.Key, algorithm: jwa.SignatureAlgorithm(algorithm), headers: jws.NewHeaders()}
	if read.ID != "" {
		err = s.headers.Set(jws.KeyIDKey, read.ID)
	}
	return s, err
}

// preferred are the algorithms that servers must support, or usually do. A JWK may name
// another one, such as PS256.
var preferred = []string{"RS256", "ES256", "ES384", "ES512", "EdDSA"}

// algorithmOf checks the public half like any other key: its kind, its size, its curve,
// and whether its algorithm fits (RFC 7517 §4.4).
func algorithmOf(private any, named string) (string, error) {
	pair, ok := private.(crypto.Signer)
	if !ok {
		return "", errors.New("not a private key that can sign")
	}
	public, err := jwk.FromRaw(pair.Public())
	if err != nil {
		return "", errors.New("the kind of the private key is not supported")
	}
	if named != "" {
		if err := public.Set(jwk.AlgorithmKey, named); err != nil {
			return "", fmt.Errorf("alg %.32q of the private key is not known", named)
		}
	}
	document, err := json.Marshal(public)
	if err != nil {
		return "", err
	}
	set, err := keyset.Parse(document)
	if err != nil {
		return "", fmt.Errorf("the private key: %w", err)
	}
	algorithms := set.Algorithms()
	for _, algorithm := range preferred {
		if slices.Contains(algorithms, algorithm) {
			return algorithm, nil
		}
	}
	return algorithms[0], nil
}
