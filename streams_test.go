package requireauth

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/responsewriter"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/memory"
)

func TestIsStream(t *testing.T) {
	for name, test := range map[string]struct {
		method string
		status int
		kinds  []string
		want   bool
	}{
		"an event stream":                 {"GET", 200, []string{"text/event-stream"}, true},
		"with a parameter and capitals":   {"GET", 200, []string{"Text/Event-Stream ;charset=utf-8"}, true},
		"with a broken parameter":         {"POST", 200, []string{"text/event-stream; ; ="}, true},
		"in a second field":               {"GET", 200, []string{"text/plain", "text/event-stream"}, true},
		"an upgrade":                      {"GET", 101, nil, true},
		"a WebSocket over HTTP/2":         {"CONNECT", 200, nil, true},
		"a tunnel that was refused":       {"CONNECT", 403, []string{"text/plain"}, false},
		"a page":                          {"GET", 200, []string{"text/html"}, false},
		"a kind that only begins like it": {"GET", 200, []string{"text/event-streams"}, false},
		"no kind":                         {"GET", 200, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := isStream(&http.Request{Method: test.method}, test.status, http.Header{"Content-Type": test.kinds}); got != test.want {
				t.Error(got)
			}
		})
	}
}

// guestScheme is a scheme of another plugin, which cannot be asked again.
type guestScheme struct{ authn.Scheme }

// plainStore is a store that does not count, and may not know yet.
type plainStore struct {
	store.Store
	unknown error
}

func (p *plainStore) HasRevocations() (bool, error) {
	if p.unknown != nil {
		return false, p.unknown
	}
	return p.Store.HasRevocations()
}

func TestCheckOfGuests(t *testing.T) {
	known := memory.New()
	t.Cleanup(func() { _ = known.Destruct() })
	now := time.Now()
	plain := &plainStore{known, errors.New("not read yet")}
	s := &stream{app: &App{store: plain}, declared: &namedScheme{name: "guests"}, scheme: guestScheme{}, identity: &authn.Identity{ID: "alice", Expires: now.Add(time.Hour)}}
	wants := func(now time.Time, want string) {
		t.Helper()
		got := ""
		if err := s.Check(now); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%q, want %q", got, want)
		}
	}
	wants(now, "")
	wants(now.Add(time.Hour), "the credential expired at ")
	entry, err := store.Revocation{Subject: "alice", Scheme: "guests"}.Entry(now)
	if err != nil {
		t.Fatal(err)
	}
	if err := known.Publish(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	wants(now, "")
	plain.unknown = nil
	wants(now, "the credential was revoked")
}

// hanging is a log that takes nothing.
type hanging struct {
	bytes.Buffer
	started, goOn chan struct{}
}

func (h *hanging) Write(line []byte) (int, error) {
	h.started <- struct{}{}
	<-h.goOn
	return h.Buffer.Write(line)
}

func (*hanging) Sync() error { return nil }

func TestEndWhileTheLogHangs(t *testing.T) {
	log := &hanging{started: make(chan struct{}), goOn: make(chan struct{})}
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"}), log, zapcore.InfoLevel)
	writer := responsewriter.New(httptest.NewRecorder(), func(http.Header) {})
	writer.Watch(nil, func() {})
	ctx, cancel := context.WithCancel(t.Context())
	s := &stream{gate: &RequireAuth{logger: zap.New(core)}, writer: writer, cancel: cancel}
	logged := make(chan struct{})
	go func() {
		s.End(errCallerRevoked)
		close(logged)
	}()
	<-log.started
	if !writer.Aborted() || ctx.Err() == nil {
		t.Error("the response goes on")
	}
	s.End(errCallerRevoked) // does not wait
	close(log.goOn)
	<-logged
	if got := strings.Count(log.String(), "stream ended"); got != 1 {
		t.Error(log.String())
	}
}
