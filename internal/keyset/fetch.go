package keyset

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// run fetches at once and then whenever it is due or asked for, until ctx ends.
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
		if due, _ := r.fetches.outlook(); due.After(r.config.Now()) {
			timer.Reset(due.Sub(r.config.Now()))
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
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout)
	defer cancel()
	began := r.config.Now()
	address, err := r.locate(ctx)
	if err != nil {
		return nil, err
	}
	found, err := get(ctx, r.config.Client, address, "application/jwk-set+json, application/json")
	if err != nil {
		return nil, err
	}
	// Many providers serve their keys as text/plain, so unlike metadata they
	// are judged by their content alone.
	set, err := parseJWKs(found.body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", loggable(address), err)
	}
	set.fingerprint = fingerprint(found.body)
	return &edition{set: set, digest: sha256.Sum256(found.body), fetchedAt: began}, nil
}

// locate returns the URL of the key set.
func (r *Remote) locate(ctx context.Context) (string, error) {
	if r.config.URL != "" {
		return r.config.URL, nil
	}
	metadata, err := Discover(ctx, r.config.Client, r.config.Issuer)
	if err != nil {
		return "", err
	}
	if metadata.JWKSURI == "" {
		return "", errors.New("the metadata of the issuer name no jwks_uri")
	}
	return metadata.JWKSURI, nil
}

// replace puts a good set in use.
func (r *Remote) replace(fetched *edition) {
	last := r.current.Load()
	switch {
	case last == nil:
		fetched.generation = 1
	case last.digest == fetched.digest:
		fetched.generation = last.generation
	default:
		fetched.generation = last.generation + 1
	}
	r.current.Store(fetched)
	if last == nil {
		close(r.ready)
	}
	r.config.Logger().Debug("fetched key set",
		zap.String("url", r.config.address()),
		zap.Int("keys", fetched.set.Len()),
		zap.Strings("skipped", fetched.set.Skipped()))
	r.watchers.ok.Add(1)
	r.config.OnRefresh(ResultOK)

	now := r.config.Now()
	delay := max(jittered(r.config.RefreshEvery), r.config.MinInterval)
	r.fetches.succeed(now.Add(r.config.MinInterval), now.Add(delay))
}

// keepLast leaves the last good set in use.
func (r *Remote) keepLast(reason error) {
	if _, last := r.fetches.outlook(); last == nil || last.Error() != reason.Error() {
		r.config.Logger().Warn("cannot fetch key set",
			zap.String("url", r.config.address()),
			zap.String("reason", reason.Error()))
	}
	r.config.OnRefresh(ResultError)
	r.fetches.fail(r.config.Now(), reason)
	r.watchers.fail(reason)
}
