package keyset

import "time"

// Status is what an operator may see of a Remote. It holds no secrets.
type Status struct {
	// URL is where the keys come from: that of the key set without its query, or
	// the issuer if the key set is discovered.
	URL        string   `json:"url"`
	Keys       int      `json:"keys"`
	Algorithms []string `json:"algorithms,omitempty"`
	// Skipped says which published keys are not used, and why.
	Skipped   []string  `json:"skipped,omitempty"`
	FetchedAt time.Time `json:"fetched_at,omitzero"`
	NextFetch time.Time `json:"next_fetch,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	// Reason is the kind of the last error, see ReasonOf.
	Reason     string `json:"reason,omitempty"`
	Generation uint64 `json:"generation"`
}

// Status describes the present state.
func (r *Remote) Status() Status {
	due, failure := r.fetches.outlook()
	status := Status{URL: r.config.address(), NextFetch: due}
	if failure != nil {
		status.LastError = failure.Error()
		status.Reason = ReasonOf(failure)
	}
	if latest := r.current.Load(); latest != nil {
		status.Keys = latest.set.Len()
		status.Algorithms = latest.set.Algorithms()
		status.Skipped = latest.set.Skipped()
		status.FetchedAt = latest.fetchedAt
		status.Generation = latest.generation
	}
	return status
}
