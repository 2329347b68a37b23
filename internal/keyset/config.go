package keyset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Defaults of RemoteConfig.
const (
	defaultRefreshEvery = 15 * time.Minute
	defaultMinInterval  = 10 * time.Second
	defaultTimeout      = 10 * time.Second
	defaultFirstWait    = 3 * time.Second
	defaultMaxStale     = 24 * time.Hour
)

// Delays between attempts while fetching fails: doubled each time.
const (
	firstBackoff = time.Second
	maxBackoff   = time.Minute
)

// What RemoteConfig.OnRefresh is told.
const (
	ResultOK    = "ok"
	ResultError = "error"
)

// RemoteConfig says where keys are published and how eagerly they are fetched.
// Zero values stand for the defaults.
type RemoteConfig struct {
	// URL is that of a JWK Set. If it is empty, the metadata of Issuer tell it,
	// and are read anew for each fetch.
	URL string
	// Issuer is used only when URL is empty.
	Issuer string
	// Client defaults to NewClient(). A client without a CheckRedirect gets that
	// of NewClient.
	Client *http.Client

	// RefreshEvery is the time between two fetches while all is well, give or
	// take 10 % so that many servers do not ask at once. Default: 15m.
	RefreshEvery time.Duration
	// MinInterval is the shortest time between two fetches that requests with an
	// unknown `kid` may cause, all of them together. Default: 10s, or
	// RefreshEvery if that is shorter. After a failure the next fetch follows
	// after 1s, 2s, 4s and so on up to 60s, again give or take 10 %, whatever
	// requests ask for.
	MinInterval time.Duration
	// Timeout is that of one fetch, discovery included. Default: 10s.
	Timeout time.Duration
	// FirstWait is how long a request waits for the very first set. Default: 3s.
	FirstWait time.Duration
	// MaxStale is how long the last good set is used while fetching fails. It is
	// at least twice RefreshEvery. Default: 24h.
	MaxStale time.Duration

	// Logger is told of each failure once per change of reason. It is asked for
	// each time, because logs change while keys are fetched. Default: none.
	Logger func() *zap.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// OnRefresh is called after each fetch with ResultOK or ResultError; it may
	// be nil.
	OnRefresh func(result string)
}

// completed returns the config with its defaults, or what is wrong with it.
func (c RemoteConfig) completed() (RemoteConfig, error) {
	if err := c.checkAddress(); err != nil {
		return c, err
	}
	c.RefreshEvery = withDefault(c.RefreshEvery, defaultRefreshEvery)
	c.MinInterval = withDefault(c.MinInterval, min(defaultMinInterval, c.RefreshEvery))
	c.Timeout = withDefault(c.Timeout, defaultTimeout)
	c.FirstWait = withDefault(c.FirstWait, defaultFirstWait)
	c.MaxStale = withDefault(c.MaxStale, max(defaultMaxStale, 2*c.RefreshEvery))
	switch {
	case min(c.RefreshEvery, c.MinInterval, c.Timeout, c.FirstWait, c.MaxStale) < 0:
		return c, errors.New("a duration must not be negative")
	case c.MinInterval > c.RefreshEvery:
		return c, fmt.Errorf("keys cannot be refreshed every %s with a minimum interval of %s", c.RefreshEvery, c.MinInterval)
	case c.MaxStale < 2*c.RefreshEvery:
		return c, fmt.Errorf("keys that are refreshed every %s must be kept for at least twice that time, not %s", c.RefreshEvery, c.MaxStale)
	}
	if c.Client == nil {
		c.Client = NewClient()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.OnRefresh == nil {
		c.OnRefresh = func(string) {}
	}
	return c, nil
}

func (c RemoteConfig) checkAddress() error {
	switch {
	case c.URL != "":
		if err := CheckURL(c.URL); err != nil {
			return fmt.Errorf("key set: %w", err)
		}
	case c.Issuer != "":
		if err := CheckIssuer(c.Issuer); err != nil {
			return fmt.Errorf("issuer: %w", err)
		}
	default:
		return errors.New("neither the URL of a key set nor an issuer is given")
	}
	return nil
}

// address is what logs and status pages name.
func (c RemoteConfig) address() string {
	if c.URL != "" {
		return loggable(c.URL)
	}
	return c.Issuer
}

func withDefault(value, otherwise time.Duration) time.Duration {
	if value == 0 {
		return otherwise
	}
	return value
}

// backoff returns how long to wait after this many failures in a row.
func backoff(failures int) time.Duration {
	delay := firstBackoff
	for ; failures > 1 && delay < maxBackoff; failures-- {
		delay *= 2
	}
	return min(jittered(min(delay, maxBackoff)), maxBackoff)
}

// jittered spreads a duration by 10 % to either side.
func jittered(delay time.Duration) time.Duration {
	return time.Duration(float64(delay) * (0.9 + 0.2*rand.Float64()))
}
