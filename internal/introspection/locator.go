package introspection

import (
	"context"
	"errors"
	"strings"
	"sync"

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
}

var errNoEndpoint = errors.New("the metadata of the issuer name no introspection_endpoint")

// find returns the URL, and reads the metadata if need be. Whoever comes
// meanwhile waits for the same answer, and not too long: the one who asks came
// first, so their time is over first.
func (l *locator) find(ctx context.Context) (string, error) {
	if address, sure := l.known(); sure {
		return address, nil
	}
	found, err, _ := l.flights.Do("", func() (any, error) { return l.discover(ctx) })
	address, _ := found.(string)
	return address, err
}

func (l *locator) known() (address string, sure bool) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.address, l.address != "" && !l.doubtful
}

// discover takes at most half the time of a call, so that the rest is left for
// the former address if there is no news of it.
func (l *locator) discover(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, l.config.Timeout/2)
	defer cancel()
	metadata, err := keyset.Discover(ctx, l.config.Client, l.config.Issuer)
	if err == nil && metadata.IntrospectionEndpoint == "" {
		err = errNoEndpoint
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if err == nil {
		l.address = metadata.IntrospectionEndpoint
	}
	if l.address == "" {
		return "", err
	}
	l.doubtful = false
	return l.address, nil
}

// doubt has the metadata read again before the next call: the endpoint may have
// moved. A configured one does not move.
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
