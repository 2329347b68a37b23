package introspection

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// locator knows the URL of the endpoint: from the configuration, or from the
// metadata of the issuer (RFC 8414 §2).
type locator struct {
	config  Config
	flights singleflight.Group

	mutex    sync.Mutex
	address  string
	doubtful bool // calls have failed since the metadata were read
	attempts int  // that failed in a row
	retryAt  time.Time
	failure  error
}

// find returns the URL, and reads the metadata if need be. Whoever comes
// meanwhile waits for the same answer, and not too long: the one who asks came
// first, so their time is over first.
func (l *locator) find(ctx context.Context) (string, error) {
	if address, sure := l.known(); sure {
		return address, nil
	}
	if err := l.failed(); err != nil {
		return "", err
	}
	found, err, _ := l.flights.Do("", func() (any, error) { return l.discover(ctx) })
	address, _ := found.(string)
	return address, err
}

func (l *locator) known() (address string, sure bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	early := l.config.now().Before(l.retryAt)
	return l.address, l.address != "" && (early || !l.doubtful)
}

// failed returns why the metadata could not be read, until it is time to try
// again.
func (l *locator) failed() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.config.now().Before(l.retryAt) {
		return l.failure
	}
	return nil
}

// discover takes at most half the time of a call, so that the rest is left for
// the former address if there is no news of it.
func (l *locator) discover(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.config.timeout/2)
	defer cancel()
	address, err := l.ask(ctx)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.attempts, l.failure = l.attempts+1, err
	if err == nil {
		l.attempts, l.address = 0, address
	}
	l.retryAt = l.config.now().Add(idp.Backoff(l.attempts, maxPause))
	if l.address == "" {
		return "", err
	}
	l.doubtful = false
	return l.address, nil
}

func (l *locator) ask(ctx context.Context) (string, error) {
	metadata, err := idp.Discover(ctx, l.config.Client, l.config.Issuer, l.config.HTTPHosts...)
	if err != nil {
		return "", err
	}
	return metadata.Endpoint("introspection_endpoint")
}

// doubt has the metadata read again before a later call: the endpoint may have
// moved. A configured one does not move. Tokens of strangers can make calls fail,
// so the metadata are read once a second at most.
func (l *locator) doubt() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.doubtful = l.config.Endpoint == ""
}

// name is what logs call the endpoint.
func (l *locator) name() string {
	if address, _ := l.known(); address != "" {
		return idp.Loggable(address)
	}
	return l.config.Issuer
}
