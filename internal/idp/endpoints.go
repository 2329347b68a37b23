package idp

import (
	"cmp"
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
	// HTTPHosts may be reached without TLS.
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

	// Timeout bounds the time in which metadata are read. Default: 10s.
	Timeout time.Duration
	// Now is the clock. Default: [time.Now].
	Now func() time.Time

	flights singleflight.Group

	mutex    sync.Mutex
	metadata *Metadata
	readAt   time.Time // when they are read again
	earliest time.Time // when they are read again after [Endpoints.Doubt]
	failures int       // in a row
	failure  error
}

// Doubt has the metadata read again when they are needed, because an endpoint may have
// moved. They are read once a second at most.
func (e *Endpoints) Doubt() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.readAt = e.earliest
}

// Find returns the URL in a member of the metadata, such as token_endpoint.
func (e *Endpoints) Find(ctx context.Context, member string) (string, error) {
	metadata, err := e.current(ctx)
	if err != nil {
		return "", err
	}
	return metadata.Endpoint(member)
}

// Last returns the URL in a member of the last metadata; empty for none.
func (e *Endpoints) Last(member string) (address string) {
	if metadata, _, _ := e.last(); metadata != nil {
		address, _ = metadata.Endpoint(member)
	}
	return address
}

// current returns the metadata. Callers at the same time wait for one fetch, which
// does not end with the request of the first.
func (e *Endpoints) current(ctx context.Context) (*Metadata, error) {
	if metadata, fresh, err := e.last(); fresh {
		return metadata, err
	}
	_, _, _ = e.flights.Do("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(e.Timeout, metadataTimeout))
		defer cancel()
		e.read(ctx)
		return nil, nil
	})
	metadata, _, err := e.last()
	return metadata, err
}

// last returns the last metadata, or else the failure, and whether it is too early
// to read them again.
func (e *Endpoints) last() (metadata *Metadata, fresh bool, failure error) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.metadata == nil {
		failure = e.failure
	}
	return e.metadata, e.now().Before(e.readAt), failure
}

func (e *Endpoints) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func (e *Endpoints) read(ctx context.Context) {
	metadata, err := Discover(ctx, e.Client, e.Issuer, e.HTTPHosts...)
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.failure = err; err != nil {
		e.failures++
	} else {
		e.metadata, e.failures = metadata, 0
	}
	e.earliest = e.now().Add(Backoff(e.failures, maxMetadataPause))
	if e.readAt = e.earliest; err == nil {
		e.readAt = e.now().Add(metadataAge)
	}
}
