package keyset

import (
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// Status is what an operator may see of a Remote. It holds no secrets.
type Status struct {
	// URL is where the keys come from: that of the key set without its query, or
	// the issuer if the key set is discovered.
	URL string
	// Skipped says which published keys are not used, and why.
	Skipped   []string
	FetchedAt time.Time
	NextFetch time.Time
	// Reason is the kind of the last error, see [idp.ReasonOf].
	Reason string
}

// Status describes the present state.
func (r *Remote) Status() Status {
	due, failure := r.fetches.outlook()
	status := Status{URL: r.config.address(), NextFetch: due, Reason: idp.ReasonOf(failure)}
	if latest := r.current.Load(); latest != nil {
		status.Skipped, status.FetchedAt = latest.set.Skipped(), latest.fetchedAt
	}
	return status
}
