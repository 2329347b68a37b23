package idp

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Provider is an identity provider and how it is reached.
type Provider struct {
	// Issuer is empty for a provider without metadata.
	Issuer string
	// Client reaches the provider.
	Client *http.Client
	// HTTPHosts may be asked without TLS.
	HTTPHosts []string
}

const (
	// metadataAge is how long metadata are used before they are read again.
	metadataAge = time.Hour
	// maxMetadataPause bounds the pauses after failures, see [Backoff].
	maxMetadataPause = 30 * time.Second
	// metadataTimeout bounds the time in which metadata are read.
	metadataTimeout = 10 * time.Second
)

// Endpoints finds the endpoints of a provider in its metadata. It reads the metadata
// when they are needed, and keeps the last good ones while the provider is down.
type Endpoints struct {
	Provider

	flights singleflight.Group

	mutex    sync.Mutex
	metadata *Metadata
	readAt   time.Time // when they are read again
	failures int       // in a row
	failure  error
}

// Find returns the URL in a member of the metadata, such as token_endpoint.
func (e *Endpoints) Find(ctx context.Context, member string) (string, error) {
	metadata, err := e.current(ctx)
	if err != nil {
		return "", err
	}
	return metadata.Endpoint(member)
}

// current returns the metadata. Callers at the same time wait for one fetch, which
// does not end with the request of the first.
func (e *Endpoints) current(ctx context.Context) (*Metadata, error) {
	if metadata, fresh, err := e.known(); fresh {
		return metadata, err
	}
	_, _, _ = e.flights.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), metadataTimeout)
		defer cancel()
		e.read(ctx)
		return nil, nil
	})
	metadata, _, err := e.known()
	return metadata, err
}

// known returns the last metadata, or else the failure, and whether it is too early
// to read them again.
func (e *Endpoints) known() (metadata *Metadata, fresh bool, failure error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.metadata == nil {
		failure = e.failure
	}
	return e.metadata, time.Now().Before(e.readAt), failure
}

func (e *Endpoints) read(ctx context.Context) {
	metadata, err := Discover(ctx, e.Client, e.Issuer, e.HTTPHosts...)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if err != nil {
		e.failures++
		e.failure, e.readAt = err, time.Now().Add(Backoff(e.failures, maxMetadataPause))
		return
	}
	e.metadata, e.failures, e.failure, e.readAt = metadata, 0, nil, time.Now().Add(metadataAge)
}
