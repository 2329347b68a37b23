package keyset

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// Status is the state of a Remote for an operator. It holds no secrets.
type Status struct {
	// URL is the URL of the key set without its query, or the issuer of a discovered
	// key set.
	URL string
	// Skipped lists the unused published keys, each with the reason.
	Skipped   []string
	FetchedAt time.Time
	NextFetch time.Time
	// Reason is the kind of the last error, see [idp.ReasonOf].
	Reason string
	// Fetched and Failed are how many fetches brought keys, and how many failed.
	Fetched, Failed uint64
}

// Status returns the current state.
func (r *Remote) Status() Status {
	due, failure := r.fetches.outlook()
	status := Status{
		URL: r.config.address(), NextFetch: due, Reason: idp.ReasonOf(failure),
		Fetched: r.successes.Load(), Failed: r.errors.Load(),
	}
	if latest := r.current.Load(); latest != nil {
		status.Skipped, status.FetchedAt = latest.set.Skipped(), latest.fetchedAt
	}
	return status
}

// observers get the errors of failed fetches.
type observers struct {
	mutex sync.Mutex
	all   map[*func(error)]struct{}
}

// OnFailure has observe called for each failed fetch until stop is called. The goroutine
// that fetches waits for observe.
func (r *Remote) OnFailure(observe func(error)) (stop func()) {
	o := &r.observers
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.all == nil {
		o.all = make(map[*func(error)]struct{})
	}
	o.all[&observe] = struct{}{}
	return func() {
		o.mutex.Lock()
		defer o.mutex.Unlock()
		delete(o.all, &observe)
	}
}

func (o *observers) notify(reason error) {
	o.mutex.Lock()
	all := slices.Collect(maps.Keys(o.all))
	o.mutex.Unlock()
	for _, observe := range all {
		(*observe)(reason)
	}
}
