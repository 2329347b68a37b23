package keyset

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// Remote is a source of keys that an identity provider publishes. One goroutine
// fetches them; whoever asks reads the last good set without taking a lock.
//
// Whatever the provider answers, be it an error, garbage, an empty set, too much
// or nothing at all, the last good set stays in use until it is older than
// MaxStale. Keys that the provider has withdrawn are gone with the next good
// set.
type Remote struct {
	config  RemoteConfig
	current atomic.Pointer[edition]
	fetches *schedule
	ready   chan struct{} // closed with the first good set
	stopped chan struct{} // closed when the goroutine ends

	watchers watchers
}

// edition is a good set as it was fetched.
type edition struct {
	set        *Set
	digest     [32]byte // of the document
	fetchedAt  time.Time
	generation uint64
}

var (
	errNoSet   = errors.New("no key set has been fetched yet")
	errStale   = errors.New("the last good key set is too old")
	errNewer   = errors.New("the kid is unknown and its key may be newer than the last good key set")
	errStopped = errors.New("the key set is no longer fetched")
)

// NewRemote begins to fetch keys, and goes on until ctx ends. It does not wait
// for the network, so that a provider that is down keeps nobody from starting;
// an error means that the configuration is wrong.
func NewRemote(ctx context.Context, config RemoteConfig) (*Remote, error) {
	config, err := config.completed()
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

// Find answers from the last good set.
//
// Before the first set, it waits for it, at most FirstWait. A kid that the set
// does not have may belong to a key that is newer than the set. Then the provider
// is asked again, once per MinInterval for all requests together, and only a
// fetch that began after the request came can say that there is no such key.
//
// Within the interval, and while the provider cannot be asked, such a kid is
// answered with an *UnavailableError: a client whose token was signed by a fresh
// key comes back later and is not logged out.
//
// Tokens without a kid never cause a fetch. If the set has keys without an ID,
// they answer for an unknown kid at once, and the provider is asked behind that. So
// it is for a kid whose key was published and cannot be used.
func (r *Remote) Find(ctx context.Context, kid, alg string) ([]*Key, error) {
	latest := r.current.Load()
	if latest == nil {
		if err := r.awaitFirst(ctx); err != nil {
			return nil, err
		}
		latest = r.current.Load()
	}
	if r.config.Now().Sub(latest.fetchedAt) > r.config.MaxStale {
		return nil, r.unavailable(errStale)
	}
	keys := latest.set.Find(kid, alg)
	switch {
	case kid == "" || latest.set.Has(kid):
		return keys, nil
	case len(keys) > 0 || latest.set.WhySkipped(kid) != "":
		_, _, _ = r.fetches.ask(r.config.Now()) // the request does not wait for it
		return keys, nil
	default:
		return r.findNew(ctx, kid, alg)
	}
}

// awaitFirst waits for the first set, unless it is known that none will come in
// time: requests must not pile up behind a provider that stays down.
func (r *Remote) awaitFirst(ctx context.Context) error {
	due, failure := r.fetches.outlook()
	if failure != nil && due.Sub(r.config.Now()) > r.config.FirstWait {
		return r.unavailable(errNoSet)
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.FirstWait)
	defer cancel()
	select {
	case <-r.ready:
		return nil
	case <-r.stopped:
	case <-ctx.Done():
	}
	return r.unavailable(errNoSet)
}

// findNew looks for a kid that the current set does not have. It waits for the
// fetch that is running, or for one that may begin now.
func (r *Remote) findNew(ctx context.Context, kid, alg string) ([]*Key, error) {
	attempt, newer, _ := r.fetches.ask(r.config.Now())
	if attempt != nil {
		ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
		defer cancel()
		if err := r.wait(ctx, attempt); err != nil {
			return nil, r.unavailable(err)
		}
	}
	// The set may have been replaced since the caller looked at it.
	set := r.current.Load().set
	if keys := set.Find(kid, alg); newer || len(keys) > 0 || set.Has(kid) {
		return keys, nil
	}
	return nil, r.unavailable(errNewer)
}

// Refresh fetches the keys now, whatever was fetched or has failed before, and
// returns the outcome. It is for the operator, who may have withdrawn a key this
// very moment: a fetch that is running already is not taken for an answer.
func (r *Remote) Refresh(ctx context.Context) error {
	return r.wait(ctx, r.fetches.demand())
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

// unavailable adds the reason why the last fetch failed, if it did.
func (r *Remote) unavailable(reason error) *UnavailableError {
	_, failure := r.fetches.outlook()
	if failure != nil && !errors.Is(reason, failure) {
		reason = fmt.Errorf("%w: %w", reason, failure)
	}
	wait := r.fetches.reopens().Sub(r.config.Now()) + time.Second - 1
	return &UnavailableError{Reason: reason, RetryAfter: max(wait.Truncate(time.Second), time.Second)}
}

// Fingerprint is a number that tells the fetched keys from others; zero means
// that there are none yet. Refreshing an unchanged set leaves it as it is. See
// [Static.Fingerprint] for how to use it.
func (r *Remote) Fingerprint() uint64 {
	if latest := r.current.Load(); latest != nil {
		return latest.set.fingerprint
	}
	return 0
}

// Generation counts the documents that differed from the one before.
func (r *Remote) Generation() uint64 {
	if latest := r.current.Load(); latest != nil {
		return latest.generation
	}
	return 0
}

// All returns the keys of the last good set; nil if there is none yet.
func (r *Remote) All() *Set {
	if latest := r.current.Load(); latest != nil {
		return latest.set
	}
	return nil
}
