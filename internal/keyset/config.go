package keyset

import (
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

const (
	// refreshEvery is the time between two successful fetches, see [idp.Spread].
	refreshEvery = 15 * time.Minute
	// minInterval is the shortest time between two fetches that requests with an
	// unknown `kid` can cause, all of them together.
	minInterval = 10 * time.Second
	// maxBackoff bounds the time until the next fetch after failures, see [idp.Backoff].
	maxBackoff = time.Minute
	// timeout is that of one fetch, discovery included.
	timeout = 10 * time.Second
	// maxStale is how long the last good set is used while fetches fail.
	maxStale = 24 * time.Hour
)

// firstWait is how long a request waits for the first set.
var firstWait = 3 * time.Second

// SetFirstWait shortens that wait, for tests without a key set. It must come before the
// first request.
func SetFirstWait(wait time.Duration) { firstWait = wait }

// The results of a fetch.
const (
	ResultOK    = "ok"
	ResultError = "error"
)

// RemoteConfig says where keys are published.
type RemoteConfig struct {
	// URL is the URL of a key document. If it is empty, the metadata of Issuer have it.
	// They are read again for each fetch.
	URL string
	// Issuer is used only when URL is empty.
	Issuer string
	// Transmitter means that Issuer is a transmitter of security events, which has
	// other metadata.
	Transmitter bool
	// TokenFile has a bearer token for URL. It is read for each fetch, because such
	// tokens expire. Default: none.
	TokenFile string
	// HTTPHosts may be reached without TLS.
	HTTPHosts []string
	// Client defaults to [idp.NewClient].
	Client *http.Client
	// Logger is called for each record, because logs change while keys are fetched.
	// Default: none.
	Logger func() *zap.Logger
}

// withDefaults returns the config with its defaults, or an error.
func (c RemoteConfig) withDefaults() (RemoteConfig, error) {
	if err := idp.CheckSource("key set", c.URL, c.Issuer, c.HTTPHosts); err != nil {
		return c, err
	}
	if c.Client == nil {
		c.Client = idp.NewClient()
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop
	}
	return c, nil
}

// address is the source in logs and status pages.
func (c RemoteConfig) address() string {
	if c.URL != "" {
		return idp.Loggable(c.URL)
	}
	return c.Issuer
}
