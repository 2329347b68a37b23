package keyset

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// Remote is a source of keys that an identity provider publishes. One goroutine
// fetches them. Readers get the last good set without a lock.
//
// After an error, or an invalid, empty or too large set, the last good set stays in use
// until it is older than maxStale. Keys that the provider has withdrawn are gone with
// the next good set.
type Remote struct {
	config  RemoteConfig
	current atomic.Pointer[edition]
	fetches *schedule
	ready   chan struct{} // closed with the first good set
	stopped chan struct{} // closed when the goroutine ends

	successes, errors atomic.Uint64
	observers         observers
	failures          idp.DedupLog
}

// edition is a good set with its fetch.
type edition struct {
	set       *Set
	fetchedAt time.Time
	fetch     uint64 // its number, see schedule.begun
}

var (
	errNoSet   = errors.New("no key set has been fetched yet")
	errStale   = errors.New("the last good key set is too old")
	errNewer   = errors.New("the kid is unknown and its key may be newer than the last good key set")
	errStopped = errors.New("the key set is no longer fetched")
)

// NewRemote begins to fetch keys, and goes on until ctx ends. It does not wait
// for the network, because a provider may be down when Caddy starts. An error means that
// the configuration is invalid.
func NewRemote(ctx context.Context, config RemoteConfig) (*Remote, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Remote{
		config:  config,
		fetches: newSchedule(),
		ready:   make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go r.run(ctx)
	return r, nil
}

// Find returns keys of the last good set.
//
// Before the first set, it waits for it, at most firstWait. A kid that is not in the
// set may belong to a newer key. Then the set is fetched again as soon as minInterval
// allows, once for all requests together. Only a fetch that began after the token first
// came can prove that the key does not exist.
//
// Until then the error is an *idp.UnavailableError: a client with a token of a fresh
// key tries again and is not logged out. A request waits for a fetch that is running or
// may begin now.
//
// Tokens without a kid never cause a fetch. For an unknown kid, Find also returns the
// keys without an ID, beside the error. A published key that cannot be used is known,
// so it causes no fetch.
func (r *Remote) Find(ctx context.Context, query Query) ([]*Key, error) {
	latest := r.current.Load()
	if latest == nil {
		if err := r.awaitFirst(ctx); err != nil {
			return nil, err
		}
		latest = r.current.Load()
	}
	if time.Since(latest.fetchedAt) > maxStale {
		return nil, r.unavailable(errStale)
	}
	keys := latest.set.Find(query.KeyID, query.Algorithm)
	// No newer set has a key for a token that is signed with a secret.
	if query.KeyID == "" || latest.set.Has(query.KeyID) || strings.HasPrefix(query.Algorithm, "HS") {
		return keys, nil
	}
	running, fetches := r.fetches.request(time.Now(), query.Token)
	switch {
	case latest.fetch > fetches || latest.set.WhySkipped(query.KeyID) != "":
		return keys, nil
	case len(keys) > 0:
		return keys, r.unavailable(errNewer)
	case running != nil:
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if err := r.wait(ctx, running); err != nil {
			return nil, r.unavailable(err)
		}
	}
	// The set may have been replaced in between.
	latest = r.current.Load()
	keys = latest.set.Find(query.KeyID, query.Algorithm)
	if latest.fetch > fetches || latest.set.Has(query.KeyID) {
		return keys, nil
	}
	return keys, r.unavailable(errNewer)
}

// awaitFirst waits for the first set, unless none can come in time: requests must not
// pile up while a provider is down.
func (r *Remote) awaitFirst(ctx context.Context) error {
	due, failure := r.fetches.outlook()
	if failure != nil && time.Until(due) > firstWait {
		return r.unavailable(errNoSet)
	}
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	select {
	case <-r.ready:
		return nil
	case <-r.stopped:
	case <-ctx.Done():
	}
	return r.unavailable(errNoSet)
}

// Refresh fetches the keys now, whatever was fetched or has failed before, and returns
// the result. The operator may have withdrawn a key just now, so the result of a fetch
// that is already running does not count.
func (r *Remote) Refresh(ctx context.Context) error {
	return r.wait(ctx, r.fetches.force())
}

func (r *Remote) wait(ctx context.Context, awaited *attempt) error {
	select {
	case <-awaited.done:
		return awaited.err
	case <-r.stopped:
		return errStopped
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// unavailable adds the reason of the last failed fetch.
func (r *Remote) unavailable(reason error) *idp.UnavailableError {
	_, failure := r.fetches.outlook()
	if failure != nil && !errors.Is(reason, failure) {
		reason = fmt.Errorf("%w: %w", reason, failure)
	}
	return idp.Unavailable(reason, time.Until(r.fetches.reopens()))
}

// Fingerprint is a number that changes with the keys; zero before the first set. See
// [Static.Fingerprint] for how to use it.
func (r *Remote) Fingerprint() uint64 {
	if latest := r.current.Load(); latest != nil {
		return latest.set.fingerprint
	}
	return 0
}

// All returns the keys of the last good set. It is nil before the first.
func (r *Remote) All() *Set {
	if latest := r.current.Load(); latest != nil {
		return latest.set
	}
	return nil
}
