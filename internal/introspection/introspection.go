// Package introspection asks an authorization server about tokens that only it
// can read (RFC 7662), and remembers the answers for a short time.
//
// What the endpoint does not say clearly is no answer: whoever asked is told
// that it cannot be said now, never that the token is bad, because a client
// throws a token away that is called bad.
package introspection

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/internal/keyset"
)

const (
	defaultCache      = time.Minute
	defaultMaxEntries = 10_000
	defaultTimeout    = 5 * time.Second

	// inactiveFor is how long it is remembered that a token is not active:
	// long enough against a loop, short enough for a token that becomes so.
	inactiveFor = 5 * time.Second

	// maxInFlight bounds the calls that strangers can cause at one time.
	maxInFlight = 64
)

// Config says whom to ask and how. Zero values stand for the defaults.
type Config struct {
	// Endpoint is where to ask; empty to find it by discovery from Issuer.
	Endpoint string
	Issuer   string

	// ClientID, and a secret or a key, say who asks.
	ClientID       string
	ClientSecret   string
	Authentication Authentication
	SigningKey     []byte // PEM or JWK, for private_key_jwt

	// Cache is how long an active answer is kept at most. Default: 60s.
	Cache time.Duration
	// NoCache asks about every request.
	NoCache bool
	// MaxEntries bounds the answers that are kept. Default: 10,000.
	MaxEntries int

	// Timeout bounds one call. Default: 5s.
	Timeout time.Duration
	Client  *http.Client
	Logger  *zap.Logger
	Now     func() time.Time
}

// Check reports what is wrong with a configuration.
func (c Config) Check() error {
	switch {
	case c.ClientID == "":
		return errors.New("introspection without a client id: the endpoint must know who asks (RFC 7662 §2.1)")
	case c.Endpoint == "" && c.Issuer == "":
		return errors.New("introspection needs an endpoint, or an issuer to find it")
	}
	if c.Endpoint != "" {
		if err := keyset.CheckURL(c.Endpoint); err != nil {
			return fmt.Errorf("introspection endpoint: %w", err)
		}
	} else if err := keyset.CheckIssuer(c.Issuer); err != nil {
		return fmt.Errorf("issuer: %w", err)
	}
	_, err := newAuthenticator(c)
	return err
}

// Answer is what is known about a token. It is shared and must not be changed.
type Answer struct {
	Active bool
	// Claims are the members of the response; nil for a token that is not active.
	Claims map[string]any
	// Expires is when the token ends; zero if the response does not say.
	Expires time.Time
	// FromCache says that nobody was asked for this request.
	FromCache bool
}

// Client asks one endpoint. It may be used by many goroutines.
type Client struct {
	config       Config
	authenticate authenticator
	endpoint     endpoint
	pause        pause
	flights      singleflight.Group
	slots        chan struct{}

	active   *otter.Cache[digest, Answer]
	inactive *otter.Cache[digest, struct{}]
}

type digest [sha256.Size]byte

// New prepares a client. Nothing is asked before the first token.
func New(config Config) (*Client, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	setDefaults(&config)
	authenticate, err := newAuthenticator(config)
	if err != nil {
		return nil, err
	}
	return &Client{
		config: config, authenticate: authenticate,
		endpoint: endpoint{url: config.Endpoint},
		slots:    make(chan struct{}, maxInFlight),
		active: otter.Must(&otter.Options[digest, Answer]{
			MaximumSize: config.MaxEntries,
			ExpiryCalculator: otter.ExpiryWritingFunc(func(entry otter.Entry[digest, Answer]) time.Duration {
				return config.lifetime(entry.Value)
			}),
		}),
		// A cache of its own, so that bad tokens never push good ones out.
		inactive: otter.Must(&otter.Options[digest, struct{}]{
			MaximumSize:      config.MaxEntries,
			ExpiryCalculator: otter.ExpiryWriting[digest, struct{}](inactiveFor),
		}),
	}, nil
}

func setDefaults(c *Config) {
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
		c.Client = keyset.NewClient()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

// lifetime is how long an answer is kept: never longer than the token is good
// (RFC 7662 §4).
func (c *Config) lifetime(answer Answer) time.Duration {
	if answer.Expires.IsZero() {
		return c.Cache
	}
	return max(min(c.Cache, answer.Expires.Sub(c.Now())), time.Nanosecond)
}

// Introspect returns what is known about a token. The error, if there is one,
// is a [*keyset.UnavailableError].
func (c *Client) Introspect(ctx context.Context, token string) (Answer, error) {
	key := c.digest(token)
	if answer, known := c.active.GetIfPresent(key); known && (answer.Expires.IsZero() || c.config.Now().Before(answer.Expires)) {
		answer.FromCache = true
		return answer, nil
	}
	if _, known := c.inactive.GetIfPresent(key); known {
		return Answer{FromCache: true}, nil
	}
	// The call belongs to all who wait for it, so it ends by its own time and
	// not with the request that happened to be first.
	flight := c.flights.DoChan(string(key[:]), func() (any, error) {
		return c.ask(context.WithoutCancel(ctx), key, token)
	})
	select {
	case <-ctx.Done():
		return Answer{}, unavailable(ctx.Err(), time.Second)
	case result := <-flight:
		if result.Err != nil {
			return Answer{}, result.Err
		}
		return result.Val.(Answer), nil
	}
}

// digest stands for a token asked about here: the token itself is not kept.
func (c *Client) digest(token string) (sum digest) {
	hash := sha256.New()
	for _, part := range []string{c.config.Endpoint, c.config.Issuer, c.config.ClientID, token} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		_, _ = hash.Write(length[:]) // a hash takes every write
		_, _ = io.WriteString(hash, part)
	}
	hash.Sum(sum[:0])
	return sum
}

// ask makes one call and remembers what it brought.
func (c *Client) ask(ctx context.Context, key digest, token string) (Answer, error) {
	if wait := c.pause.left(c.config.Now()); wait > 0 {
		return Answer{}, unavailable(errPaused, wait)
	}
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	default:
		return Answer{}, unavailable(errBusy, time.Second)
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answer, err := c.call(ctx, token)
	if err != nil {
		return Answer{}, c.failed(err)
	}
	c.pause.end()
	switch {
	case !answer.Active:
		c.inactive.Set(key, struct{}{})
	case !c.config.NoCache:
		c.active.Set(key, answer)
	}
	return answer, nil
}

var (
	errPaused = errors.New("the introspection endpoint failed and is left alone for a while")
	errBusy   = errors.New("too many calls of the introspection endpoint at once")
)

// failed logs a failure when its reason changes. What one token can cause does
// not switch the endpoint off for the others.
func (c *Client) failed(err error) error {
	var ours *tokenError
	if errors.As(err, &ours) {
		c.config.Logger.Debug("introspection was refused", zap.Error(err))
		return unavailable(err, time.Second)
	}
	wait, changed := c.pause.begin(c.config.Now(), err.Error())
	if changed {
		c.config.Logger.Warn("introspection failed", zap.String("endpoint", c.config.Endpoint),
			zap.String("issuer", c.config.Issuer), zap.Error(err))
	}
	return unavailable(err, wait)
}

func unavailable(reason error, wait time.Duration) error {
	return &keyset.UnavailableError{Reason: reason, RetryAfter: max(wait.Round(time.Second), time.Second)}
}

// endpoint is the address to ask, found once.
type endpoint struct {
	mutex sync.Mutex
	url   string
}

func (e *endpoint) find(ctx context.Context, config *Config) (string, error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.url != "" {
		return e.url, nil
	}
	metadata, err := keyset.Discover(ctx, config.Client, config.Issuer)
	if err != nil {
		return "", err
	}
	if metadata.IntrospectionEndpoint == "" {
		return "", errors.New("the issuer names no introspection endpoint")
	}
	e.url = metadata.IntrospectionEndpoint
	return e.url, nil
}
