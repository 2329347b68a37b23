package introspection

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// Config is an endpoint and its client. Zero values are the defaults.
type Config struct {
	// Endpoint is the URL to ask: https, or http on this machine. If it is
	// empty, the metadata of Issuer name it. They are read at the first token,
	// and again when calls fail.
	Endpoint string
	// Issuer is the issuer identifier. With an Endpoint, it is only the audience of
	// client assertions.
	Issuer string

	// ClientID and ClientSecret, or SigningKey, authenticate the client. Without that,
	// everyone could try tokens at the endpoint (RFC 7662 §2.1 and §4).
	ClientID     string
	ClientSecret string
	// Authentication defaults to ClientSecretBasic.
	Authentication Authentication
	// SigningKey is the private key for PrivateKeyJWT, PEM or JWK.
	SigningKey []byte

	// Cache is the longest time for which an active answer is kept, and so the time for
	// which a revoked token may still be accepted. It ends with the token. Zero keeps
	// no answers.
	Cache time.Duration

	// HTTPHosts may be reached without TLS.
	HTTPHosts []string
	// Client defaults to [idp.NewClient]. A call never follows redirects.
	Client *http.Client
	// Logger is called for each record, because logs change while a client is in use.
	// Default: none.
	Logger func() *zap.Logger

	timeout    time.Duration // of one call, discovery included; for tests
	maxEntries int           // bounds the active answers that are kept; for tests
	now        func() time.Time
}

// withDefaults returns the config with its defaults and its authenticator, or an error.
func (c Config) withDefaults() (Config, authenticator, error) {
	if err := idp.CheckSource("introspection endpoint", c.Endpoint, c.Issuer, c.HTTPHosts); err != nil {
		return c, nil, err
	}
	if c.ClientID == "" {
		return c, nil, errors.New("introspection without a client ID: the endpoint requires authentication (RFC 7662 §2.1)")
	}
	if c.Cache < 0 {
		return c, nil, errors.New("introspection: cache must not be negative")
	}
	authenticate, err := c.authenticator()
	if err != nil {
		return c, nil, err
	}
	c.timeout = cmp.Or(c.timeout, 5*time.Second)
	c.maxEntries = cmp.Or(c.maxEntries, 10_000)
	if c.Client == nil {
		c.Client = idp.NewClient()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, authenticate, nil
}

// withoutRedirects keeps tokens and secrets from servers that the operator has not
// configured.
func withoutRedirects(client *http.Client) *http.Client {
	copied := *client
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}
