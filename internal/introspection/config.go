package introspection

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// Defaults of Config.
const (
	defaultCache      = time.Minute
	defaultMaxEntries = 10_000
	defaultTimeout    = 5 * time.Second
)

// Config says whom to ask, and how. Zero values stand for the defaults.
type Config struct {
	// Endpoint is the URL to ask: https, or http on this machine. If it is
	// empty, the metadata of Issuer tell it; they are read at the first token,
	// and again when calls fail.
	Endpoint string
	// Issuer is the issuer identifier. Next to an Endpoint, it is only the
	// audience of client assertions.
	Issuer string

	// ClientID and ClientSecret, or SigningKey, say who asks. The endpoint must
	// know that, or anybody could try tokens there (RFC 7662 §2.1 and §4).
	ClientID     string
	ClientSecret string
	// Authentication defaults to ClientSecretBasic.
	Authentication Authentication
	// SigningKey is the private key for PrivateKeyJWT, PEM or JWK.
	SigningKey []byte

	// Cache is how long an active answer is kept at most, and thereby how long a
	// revoked token may still be let in. It is never kept longer than the token
	// is good. Default: 60s.
	Cache time.Duration
	// NoCache keeps no active answers at all.
	NoCache bool
	// MaxEntries bounds the active answers that are kept; one of more than 4 KiB
	// counts as several. Default: 10,000.
	MaxEntries int

	// Client defaults to keyset.NewClient() with more idle connections.
	// Redirects of a call are never followed, whatever it says about them.
	Client *http.Client
	// Timeout is that of one call, discovery included. Default: 5s.
	Timeout time.Duration

	// Logger is told of failures, once per change of reason. It is asked for each
	// time, because logs change while a client is in use. Default: none.
	Logger func() *zap.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Check reports what is wrong with the configuration.
func (c Config) Check() error {
	_, _, err := c.completed()
	return err
}

// completed returns the config with its defaults and how it authenticates, or
// what is wrong with it.
func (c Config) completed() (Config, authenticator, error) {
	if err := c.checkAddress(); err != nil {
		return c, nil, err
	}
	if c.ClientID == "" {
		return c, nil, errors.New("introspection without a client ID: the endpoint must know who asks (RFC 7662 §2.1)")
	}
	if c.Cache < 0 || c.Timeout < 0 || c.MaxEntries < 0 {
		return c, nil, errors.New("introspection: a duration or a size must not be negative")
	}
	authenticate, err := c.authenticator()
	if err != nil {
		return c, nil, fmt.Errorf("introspection: %w", err)
	}
	if c.Cache == 0 {
		c.Cache = defaultCache
	}
	if c.MaxEntries == 0 {
		c.MaxEntries = defaultMaxEntries
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	if c.Client == nil {
		c.Client = newClient()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, authenticate, nil
}

func (c Config) checkAddress() error {
	switch {
	case c.Endpoint != "":
		if err := keyset.CheckURL(c.Endpoint); err != nil {
			return fmt.Errorf("introspection endpoint: %w", err)
		}
	case c.Issuer != "":
		if err := keyset.CheckIssuer(c.Issuer); err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
	default:
		return errors.New("introspection needs an endpoint, or an issuer whose metadata name it")
	}
	return nil
}

// newClient keeps as many connections as there may be calls. Keys are fetched
// once in a while, tokens are asked about all the time.
func newClient() *http.Client {
	client := keyset.NewClient()
	if transport, ok := client.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = maxInFlight
	}
	return client
}

// withoutRedirects keeps tokens and secrets from going where the operator has
// not sent them.
func withoutRedirects(client *http.Client) *http.Client {
	copied := *client
	copied.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &copied
}
