package introspection

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/internal/keyset"
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

var errNoEndpoint = errors.New("the metadata of the issuer name no introspection_endpoint")

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
	early := l.config.Now().Before(l.retryAt)
	return l.address, l.address != "" && (early || !l.doubtful)
}

// failed returns why the metadata could not be read, until it is time to try
// again.
func (l *locator) failed() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.config.Now().Before(l.retryAt) {
		return l.failure
	}
	return nil
}

// discover takes at most half the time of a call, so that the rest is left for
// the former address if there is no news of it.
func (l *locator) discover(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout/2)
	defer cancel()
	metadata, err := keyset.Discover(ctx, l.config.Client, l.config.Issuer)
	if err == nil && metadata.IntrospectionEndpoint == "" {
		err = cmp.Or(metadata.IntrospectionError, errNoEndpoint)
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.attempts, l.failure = l.attempts+1, err
	if err == nil {
		l.attempts, l.address = 0, metadata.IntrospectionEndpoint
	}
	l.retryAt = l.config.Now().Add(pause(l.attempts))
	if l.address == "" {
		return "", err
	}
	l.doubtful = false
	return l.address, nil
}

// doubt has the metadata read again before a later call: the endpoint may have
// moved. A configured one does not move. Tokens of strangers can make calls fail,
// so the metadata are read once a second at most.
func (l *locator) doubt() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.doubtful = l.config.Endpoint == ""
}

// name is what logs call the endpoint. It has no query, where some providers
// want a key of their own.
func (l *locator) name() string {
	if address, _ := l.known(); address != "" {
		address, _, _ = strings.Cut(address, "?")
		return address
	}
	return l.config.Issuer
}
