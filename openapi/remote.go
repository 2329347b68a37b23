package openapi

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// remotes are the documents at URLs. They outlive a configuration whose successor
// uses them too, so that a reload has a document at once.
var remotes = lasting.NewShared[*remote]()

// remote is the document at a URL. All gates with the same URL and interval share it.
type remote struct {
	address string
	refresh time.Duration
	stopped chan struct{}

	mutex     sync.Mutex
	content   []byte // the last version that a follower could use
	latest    []byte // the last version that was fetched
	failure   error  // of the last fetch
	followers map[*follower]struct{}
}

// follower uses the versions of a document.
type follower struct {
	load    func([]byte) error
	observe func(error)
	logger  *zap.Logger
	failed  idp.DedupLog
}

// openRemote returns the document at a URL. Each call needs one release.
func openRemote(address string, refresh time.Duration) (*remote, func() error, error) {
	refresh = cmp.Or(refresh, defaultRefresh)
	return remotes.Open(refresh.String()+" "+address, func(ctx context.Context) (*remote, error) {
		r := &remote{address: address, refresh: refresh, stopped: make(chan struct{}), followers: make(map[*follower]struct{})}
		go r.run(ctx)
		return r, nil
	})
}

// Close waits for the end of the fetches.
func (r *remote) Close() { <-r.stopped }

// follow has a follower use the document now, if it is known, and each later version
// until stop is called.
func (r *remote) follow(load func([]byte) error, observe func(error), logger *zap.Logger) (stop func(), err error) {
	f := &follower{load: load, observe: observe, logger: logger}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.latest != nil {
		failure := load(r.latest)
		if failure == nil {
			r.content, failure = r.latest, r.failure
		} else if r.content == nil || load(r.content) != nil {
			return func() {}, failure
		}
		observe(failure)
	}
	r.followers[f] = struct{}{}
	return func() {
		r.mutex.Lock()
		defer r.mutex.Unlock()
		delete(r.followers, f)
	}, nil
}

// run fetches the document at once and again after each interval, until ctx ends.
func (r *remote) run(ctx context.Context) {
	defer close(r.stopped)
	client := idp.NewClient()
	defer client.CloseIdleConnections()
	failures := 0
	for {
		found, err := idp.FetchUpTo(ctx, client, r.address, http.Header{"Accept": {"application/json, application/yaml, */*;q=0.1"}}, textfile.MaxSize)
		if ctx.Err() != nil {
			return
		}
		wait := idp.Spread(r.refresh)
		if failures++; err == nil {
			failures = 0
			err = r.replace(found.Body)
		} else {
			wait = idp.Backoff(failures, r.refresh)
			r.report(err)
		}
		r.mutex.Lock()
		r.failure = err
		r.mutex.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// replace has all followers use a new version. It is kept if one of them can, and the
// error is of the last that cannot.
func (r *remote) replace(content []byte) (failure error) {
	content, err := textfile.Decode(content)
	if err != nil {
		r.report(err)
		return err
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if string(content) == string(r.latest) && r.failure == nil {
		return nil
	}
	r.latest = content
	for f := range r.followers {
		err := f.load(content)
		f.report(err)
		if err != nil {
			failure = err
			continue
		}
		r.content = content
	}
	return failure
}

// report reports a failed fetch to all followers.
func (r *remote) report(err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for f := range r.followers {
		f.report(err)
	}
}

// report observes whether the latest version is in use. A failure is logged once.
func (f *follower) report(err error) {
	f.observe(err)
	switch {
	case err == nil && f.failed.Recovered():
		f.logger.Info("the OpenAPI document is valid again")
	case err != nil && f.failed.Failed(time.Now(), err.Error()):
		f.logger.Error("the OpenAPI document cannot be used: what was loaded before stays in force", zap.Error(err))
	}
}
