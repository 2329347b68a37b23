package keyset

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// run fetches at once and then whenever it is due or requested, until ctx ends.
func (r *Remote) run(ctx context.Context) {
	defer close(r.stopped)
	defer r.config.Client.CloseIdleConnections()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.fetches.wake:
		}
		if due, _ := r.fetches.outlook(); time.Until(due) > 0 {
			timer.Reset(time.Until(due))
			continue
		}
		number := r.fetches.begin()
		fetched, err := r.fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.keepLast(err)
		} else {
			fetched.fetch = number
			r.replace(fetched)
		}
		timer.Reset(0) // looks when the next one is due
	}
}

// fetch gets the published keys once.
func (r *Remote) fetch(ctx context.Context) (*edition, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	address, err := r.address(ctx)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Accept": {"application/jwk-set+json, application/json"}}
	if r.config.TokenFile != "" {
		token, err := textfile.Read(r.config.TokenFile)
		if err != nil {
			return nil, err
		}
		header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(token)))
	}
	found, err := idp.Fetch(ctx, r.config.Client, address, header)
	if err != nil {
		return nil, err
	}
	// Many providers send keys as text/plain. So, unlike metadata, only the content
	// counts.
	set, err := Parse(found.Body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", idp.Loggable(address), err)
	}
	return &edition{set: set, fetchedAt: began}, nil
}

// address returns the URL of the key set.
func (r *Remote) address(ctx context.Context) (string, error) {
	if r.config.URL != "" {
		return r.config.URL, nil
	}
	discover := idp.Discover
	if r.config.Transmitter {
		discover = idp.DiscoverTransmitter
	}
	metadata, err := discover(ctx, r.config.Client, r.config.Issuer, r.config.HTTPHosts...)
	if err != nil {
		return "", err
	}
	return metadata.Endpoint("jwks_uri")
}

// replace puts a good set into use.
func (r *Remote) replace(fetched *edition) {
	last := r.current.Load()
	r.current.Store(fetched)
	if last == nil {
		close(r.ready)
	}
	r.config.Logger().Debug("fetched key set",
		zap.String("url", r.config.address()),
		zap.Int("keys", fetched.set.Len()),
		zap.Strings("skipped", fetched.set.Skipped()))
	if r.failures.Recovered() {
		r.config.Logger().Info("key set is fetched again", zap.String("url", r.config.address()))
	}
	r.successes.Add(1)
	now := time.Now()
	r.fetches.succeed(now.Add(minInterval), now.Add(idp.Spread(refreshEvery)))
}

// keepLast keeps the last good set in use.
func (r *Remote) keepLast(reason error) {
	now := time.Now()
	if r.failures.Failed(now, reason.Error()) {
		r.config.Logger().Warn("cannot fetch key set",
			zap.String("url", r.config.address()),
			zap.String("reason", reason.Error()))
	}
	r.fetches.fail(now, reason)
	r.errors.Add(1)
	r.observers.notify(reason)
}
