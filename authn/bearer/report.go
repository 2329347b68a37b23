package bearer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/excorp/caddy-require-auth/authn/report"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/keyedhash"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// Report describes the keys, what is remembered and the endpoint.
func (b *Bearer) Report() report.Report {
	report := report.Report{Issuer: b.Issuer, Audiences: b.Audiences, Algorithms: b.Algorithms}
	for _, source := range b.keys {
		report.KeySources = append(report.KeySources, source.report(b.now()))
	}
	if b.cache != nil {
		entries := b.cache.EstimatedSize()
		report.CacheEntries, report.Cache = &entries, fmt.Sprintf("%p", b.cache)
	}
	if b.remote != nil {
		report.Introspection = b.reportEndpoint()
	}
	return report
}

func (s source) report(now time.Time) report.KeySource {
	source := report.KeySource{Kind: s.kind, From: s.from, Keys: []report.PublicKey{}}
	for _, key := range s.keys.All().Keys() {
		source.Keys = append(source.Keys, report.PublicKey{ID: key.ID, Type: key.Type(), Algorithms: key.Algorithms})
	}
	if s.remote == nil {
		return source
	}
	status := s.remote.Status()
	source.Skipped, source.NextFetch, source.Reason = status.Skipped, status.NextFetch, status.Reason
	if !status.FetchedAt.IsZero() {
		source.FetchedAt, source.Age = status.FetchedAt, max(0, now.Sub(status.FetchedAt).Seconds())
	}
	source.Fetches, source.Set = &report.Fetches{OK: status.Fetched, Error: status.Failed}, fmt.Sprintf("%p", s.remote)
	switch {
	case status.Reason != "":
		source.Result = keyset.ResultError
	case status.FetchedAt.IsZero():
		source.Result = "pending"
	default:
		source.Result = keyset.ResultOK
	}
	return source
}

func (b *Bearer) reportEndpoint() *report.Endpoint {
	state := b.remote.State()
	endpoint := &report.Endpoint{State: "ok", RetryAt: state.PausedUntil, CacheEntries: state.Remembered, Client: fmt.Sprintf("%p", b.remote)}
	if !state.PausedUntil.IsZero() {
		endpoint.State = "paused"
	}
	if address, err := url.Parse(state.Endpoint); err == nil {
		endpoint.Host = address.Host
	}
	return endpoint
}

// Refresh fetches the published keys now.
func (b *Bearer) Refresh(ctx context.Context) error {
	failure, fetched := error(nil), false
	for _, source := range b.keys {
		if source.remote != nil {
			fetched = true
			failure = errors.Join(failure, source.remote.Refresh(ctx))
		}
	}
	if !fetched {
		return capability.ErrNothingToRefresh
	}
	return failure
}

// OnFetchFailed calls observe for each failed fetch.
func (b *Bearer) OnFetchFailed(observe func(capability.FetchFailure)) (stop func()) {
	var stops []func()
	for _, source := range b.keys {
		if source.remote == nil {
			continue
		}
		stops = append(stops, source.remote.OnFailure(func(failure error) {
			observe(capability.FetchFailure{From: source.from, Reason: idp.ReasonOf(failure), Keys: len(source.keys.All().Keys())})
		}))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// Ends returns when a signed token expires, the leeway for clocks included, if
// it was signed by a key of this scheme. It makes no introspection request.
func (b *Bearer) Ends(ctx context.Context, credential string) (time.Time, bool) {
	t, err := parse(credential)
	if err != nil || b.isIssuer(t) != nil {
		return time.Time{}, false
	}
	unavailable, err := b.keys.check(ctx, keyedhash.Of(credential), t, t.verify)
	if unavailable != nil || err != nil || t.decodeClaims() != nil {
		return time.Time{}, false
	}
	expires, err := expiry(t)
	return expires.Add(b.skew), err == nil
}

// Interface guards
var (
	_ report.Reporter          = (*Bearer)(nil)
	_ capability.Refresher     = (*Bearer)(nil)
	_ capability.FetchObserved = (*Bearer)(nil)
	_ capability.Revocable     = (*Bearer)(nil)
)
