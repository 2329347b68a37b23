package introspection

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Authentication is how the client says who it is.
type Authentication string

// The methods; the zero value is ClientSecretBasic.
const (
	ClientSecretBasic Authentication = "client_secret_basic"
	ClientSecretPost  Authentication = "client_secret_post"
	PrivateKeyJWT     Authentication = "private_key_jwt"
)

// authenticator adds authentication to a call.
type authenticator func(form url.Values, header http.Header, address string, now time.Time) error

func newAuthenticator(c Config) (authenticator, error) {
	method := c.Authentication
	if method == "" {
		method = ClientSecretBasic
	}
	if method != PrivateKeyJWT && c.ClientSecret == "" {
		return nil, fmt.Errorf("introspection with %s needs a client secret", method)
	}
	switch method {
	case ClientSecretBasic:
		// Each part is form-encoded first (RFC 6749 §2.3.1).
		pair := url.QueryEscape(c.ClientID) + ":" + url.QueryEscape(c.ClientSecret)
		field := "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
		return func(_ url.Values, header http.Header, _ string, _ time.Time) error {
			header.Set("Authorization", field)
			return nil
		}, nil
	case ClientSecretPost:
		return func(form url.Values, _ http.Header, _ string, _ time.Time) error {
			form.Set("client_id", c.ClientID)
			form.Set("client_secret", c.ClientSecret)
			return nil
		}, nil
	case PrivateKeyJWT:
		return newAssertion(c)
	default:
		return nil, fmt.Errorf("unknown client authentication %q: write client_secret_basic, client_secret_post or private_key_jwt", method)
	}
}

// assertionFor is how long an assertion is good.
const assertionFor = time.Minute

// newAssertion authenticates by signed assertions (RFC 7523 §2.2). Their
// audience is the issuer where it is known, and else the endpoint.
func newAssertion(c Config) (authenticator, error) {
	key, algorithm, err := signingKey(c.SigningKey)
	if err != nil {
		return nil, fmt.Errorf("introspection with private_key_jwt: %w", err)
	}
	return func(form url.Values, _ http.Header, address string, now time.Time) error {
		audience := c.Issuer
		if audience == "" {
			audience = address
		}
		id := make([]byte, 16)
		if _, err := rand.Read(id); err != nil {
			return err
		}
		claims, err := json.Marshal(map[string]any{
			"iss": c.ClientID, "sub": c.ClientID, "aud": audience, "jti": hex.EncodeToString(id),
			"iat": now.Unix(), "exp": now.Add(assertionFor).Unix(),
		})
		if err != nil {
			return err
		}
		assertion, err := jws.Sign(claims, jws.WithKey(algorithm, key))
		if err != nil {
			return err
		}
		form.Set("client_id", c.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", string(assertion))
		return nil
	}, nil
}

// signingKey reads a private key and the algorithm it is made for.
func signingKey(data []byte) (jwk.Key, jwa.SignatureAlgorithm, error) {
	if len(data) == 0 {
		return nil, "", errors.New("a private key is needed")
	}
	key, err := jwk.ParseKey(data, jwk.WithPEM(!strings.HasPrefix(strings.TrimSpace(string(data)), "{")))
	if err != nil {
		return nil, "", errors.New("the key cannot be read: PEM or JWK is needed")
	}
	if private, err := jwk.IsPrivateKey(key); err != nil || !private {
		return nil, "", errors.New("the key is not a private one")
	}
	if named := key.Algorithm().String(); named != "" {
		return key, jwa.SignatureAlgorithm(named), nil
	}
	switch key := key.(type) {
	case jwk.RSAPrivateKey:
		return key, jwa.RS256, nil
	case jwk.ECDSAPrivateKey:
		switch key.Crv() {
		case jwa.P384:
			return key, jwa.ES384, nil
		case jwa.P521:
			return key, jwa.ES512, nil
		default:
			return key, jwa.ES256, nil
		}
	case jwk.OKPPrivateKey:
		return key, jwa.EdDSA, nil
	default:
		return nil, "", errors.New("the kind of the key cannot sign")
	}
}
