package requireauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/responsewriter"
	"github.com/excorp/caddy-require-auth/internal/streams"
	"github.com/excorp/caddy-require-auth/store"
)

// The values of [RequireAuth.EndStreams].
const (
	endStreams = "streams"
	endAll     = "all"
)

func checkEndStreams(value string) error {
	switch value {
	case "", endStreams, endAll:
		return nil
	}
	return fmt.Errorf("end_streams %q: write `end_streams`, or `end_streams all`", value)
}

// stream is a response that ends with the credential that a gate has admitted.
type stream struct {
	gate       *RequireAuth
	declared   *namedScheme // that accepted the credential
	credential authn.Credential
	identity   *authn.Identity
	record     requestRecord
	began      time.Time

	writer *responsewriter.Writer
	cancel context.CancelFunc
	resets bool // the response is a stream of HTTP/2, which the first End resets

	// Only Check uses these.
	app        *App
	scheme     authn.Scheme
	rechecked  bool
	generation uint64 // of the scheme
	ends       time.Time
	unrevoked  bool
	learned    uint64    // by the store
	further    []*stream // of the other credentials of a combination

	logged atomic.Bool
}

// watch prepares the response to a request that goes on with a credential. The caller
// calls finish when the request has been handled. The request stays the same one, because
// placeholders read what later handlers change of it.
func (g *RequireAuth) watch(writer *responsewriter.Writer, r *http.Request, state *requestState, d *decision) (finish func()) {
	s := &stream{
		gate: g, declared: d.scheme, credential: d.credential, identity: d.outcome.Identity, began: time.Now(),
		app: g.app, scheme: d.scheme.Scheme, writer: writer, resets: r.ProtoMajor == 2,
	}
	for _, one := range d.further {
		s.further = append(s.further, &stream{
			gate: g, declared: one.scheme, credential: one.credential, identity: one.outcome.Identity, app: g.app, scheme: one.scheme.Scheme,
		})
	}
	before := r.Context()
	ctx, cancel := context.WithCancel(before)
	*r, s.cancel = *r.WithContext(ctx), cancel
	begin := func(status int, header http.Header) bool {
		if g.EndStreams == endStreams && isStream(r, status, header) {
			s.begin(state, r)
			return true
		}
		return g.EndStreams == endAll
	}
	writer.Watch(begin, s.remove)
	if g.EndStreams == endAll {
		s.begin(state, r)
	}
	return func() {
		s.cancel()
		*r = *r.WithContext(before) // for error routes
		if writer.Finish() {
			panic(http.ErrAbortHandler) // the response must not look complete
		}
	}
}

// isStream reports whether a response is an event stream or an upgraded connection. A
// WebSocket over HTTP/2 or HTTP/3 is an extended CONNECT (RFC 8441, RFC 9220).
func isStream(r *http.Request, status int, header http.Header) bool {
	if status == http.StatusSwitchingProtocols || r.Method == http.MethodConnect && status/100 == 2 {
		return true
	}
	return slices.ContainsFunc(header["Content-Type"], func(value string) bool {
		kind, _, _ := strings.Cut(value, ";")
		return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
	})
}

// begin makes the response one that is checked.
func (s *stream) begin(state *requestState, r *http.Request) {
	s.record = s.gate.recordOf(state, r, s.declared, s.identity)
	s.declared.metrics.streams().Inc()
	streams.Process.Add(s)
}

func (s *stream) remove() {
	if streams.Process.Remove(s) {
		s.declared.metrics.streams().Dec()
	}
}

// End ends the response, and logs why once. A log that hangs keeps no response open.
func (s *stream) End(reason error) {
	message := "stream ended"
	switch {
	case s.gate.ReportOnly:
		message = "stream would end"
		s.remove()
	case !s.resets || !s.writer.Aborted():
		s.cancel()
		s.writer.Abort()
	}
	if s.logged.CompareAndSwap(false, true) {
		fields := append(s.record.fields(), zap.String("reason", reason.Error()), zap.Duration("duration", time.Since(s.began)))
		s.gate.runningLogger().Info(message, fields...)
	}
}

// runningLogger is the logger of the running configuration, because a stream may outlive
// the files of its own.
func (g *RequireAuth) runningLogger() *zap.Logger {
	if active := caddy.ActiveContext(); active.Context != nil {
		return active.Logger(g)
	}
	return g.logger
}

var (
	errSchemeGone    = errors.New("the scheme is no longer configured")
	errCallerRevoked = errors.New("the credential was revoked")
)

// Check verifies the credential by the running configuration: whether the scheme still
// exists and accepts it, and whether the credential has expired or was revoked. Each
// question costs next to nothing until its answer may have changed.
func (s *stream) Check(now time.Time) error {
	if err := s.followReload(); err != nil {
		return err
	}
	if err := s.recheck(s.scheme); err != nil {
		return err
	}
	if !s.ends.IsZero() && !now.Before(s.ends) {
		return fmt.Errorf("the credential expired at %s", s.ends.UTC().Format(time.RFC3339))
	}
	if err := s.checkRevocation(); err != nil {
		return err
	}
	for _, one := range s.further {
		if err := one.Check(now); err != nil {
			return err
		}
	}
	return nil
}

// followReload finds the scheme in the running configuration. Gates may declare several
// of one name; one that accepts the credential is enough.
func (s *stream) followReload() error {
	active := caddy.ActiveContext()
	if active.Context == nil {
		return nil // Caddy is stopping
	}
	app, err := runningApp()
	switch {
	case err != nil:
		return errSchemeGone
	case app == s.app:
		return nil
	}
	failure := errSchemeGone
	for _, declared := range app.registry.allSchemes() {
		if declared.name != s.declared.name || kindOf(declared.Scheme) != kindOf(s.scheme) {
			continue
		}
		if failure = s.recheck(declared.Scheme); failure == nil {
			s.app, s.scheme, s.unrevoked = app, declared.Scheme, false
			return nil
		}
	}
	return failure
}

// recheck asks a scheme about the credential if its answer may have changed.
func (s *stream) recheck(scheme authn.Scheme) error {
	rechecker, ok := scheme.(capability.Rechecker)
	if !ok {
		s.ends = s.identity.Expires
		return nil
	}
	generation := rechecker.Generation() // before the check, which may see newer keys
	if s.rechecked && generation == s.generation {
		return nil
	}
	ends, err := rechecker.Recheck(s.credential, s.identity)
	if err == nil {
		s.ends, s.rechecked, s.generation = ends, true, generation
	}
	return err
}

// checkRevocation looks for a revocation if one was added. A store that does not know
// yet is asked again.
func (s *stream) checkRevocation() error {
	var learned uint64
	counter, counts := s.app.store.(store.RevocationCounter)
	if counts {
		if learned = counter.LearnedRevocations(); s.unrevoked && learned == s.learned {
			return nil
		}
	}
	revoked, err := s.isRevoked()
	if revoked {
		return errCallerRevoked
	}
	s.unrevoked, s.learned = err == nil && counts, learned
	return nil
}

func (s *stream) isRevoked() (bool, error) {
	if revocable, ok := s.scheme.(capability.Revocable); ok {
		return revocable.IsRevoked(s.credential, s.identity)
	}
	err := store.CheckCaller(s.app.store, s.declared.name, s.identity.ID)
	return errors.Is(err, store.ErrRevoked), err
}
