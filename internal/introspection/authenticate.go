package introspection

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Authentication is how the client authenticates: a method of the OAuth Token Endpoint
// Authentication Methods registry, which RFC 8414 §2 also uses for introspection.
type Authentication string

// The methods.
const (
	// ClientSecretBasic sends the secret in the Authorization field
	// (RFC 6749 §2.3.1).
	ClientSecretBasic Authentication = "client_secret_basic"
	// ClientSecretPost sends the secret in the form (RFC 6749 §2.3.1).
	ClientSecretPost Authentication = "client_secret_post"
	// PrivateKeyJWT signs an assertion for each call (RFC 7523 §2.2).
	PrivateKeyJWT Authentication = "private_key_jwt"
)

// Check reports what the method lacks.
func (a Authentication) Check(hasSecret, hasKey bool) error {
	switch a {
	case "", ClientSecretBasic, ClientSecretPost:
		if !hasSecret {
			return fmt.Errorf("introspection: %s needs a client secret (RFC 7662 §2.1)", cmp.Or(a, ClientSecretBasic))
		}
	case PrivateKeyJWT:
		if !hasKey {
			return fmt.Errorf("introspection: %s needs a private key (RFC 7662 §2.1)", a)
		}
	default:
		return fmt.Errorf("introspection: invalid client authentication %.64q: write %s, %s or %s", a, ClientSecretBasic, ClientSecretPost, PrivateKeyJWT)
	}
	return nil
}

// authenticator adds the authentication of the client to a call.
type authenticator func(form url.Values, header http.Header, address string, now time.Time) error

func (c Config) authenticator() (authenticator, error) {
	if err := c.Authentication.Check(c.ClientSecret != "", len(c.SigningKey) > 0); err != nil {
		return nil, err
	}
	switch c.Authentication {
	case PrivateKeyJWT:
		return c.assertion()
	case ClientSecretPost:
		return inForm(c.ClientID, c.ClientSecret), nil
	default:
		return inHeader(c.ClientID, c.ClientSecret), nil
	}
}

// inHeader encodes ID and secret like a form before it joins them. So a colon or a
// letter beyond ASCII is safe in either (RFC 6749 §2.3.1).
func inHeader(id, secret string) authenticator {
	id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	return func(_ url.Values, header http.Header, _ string, _ time.Time) error {
		(&http.Request{Header: header}).SetBasicAuth(id, secret)
		return nil
	}
}

func inForm(id, secret string) authenticator {
	return func(form url.Values, _ http.Header, _ string, _ time.Time) error {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
		return nil
	}
}
