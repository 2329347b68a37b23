package answers

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/streams"
)

func init() {
	streams.Process.SetInterval(10 * time.Millisecond)
}

// upstream sends without end: an event stream, a WebSocket or a download, by the end
// of the path.
func upstream(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		send := func(out io.Writer, flush func() error) {
			for {
				if _, err := io.WriteString(out, "data: more\n\n"); err != nil || flush() != nil {
					return
				}
				select {
				case <-r.Context().Done():
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		}
		control := http.NewResponseController(w)
		switch {
		case strings.HasSuffix(r.URL.Path, "/events"):
			w.Header().Set("Content-Type", "Text/Event-Stream; charset=utf-8")
		case strings.HasSuffix(r.URL.Path, "/download"):
			w.Header().Set("Content-Type", "application/octet-stream")
		case strings.HasSuffix(r.URL.Path, "/flood"):
			for err := error(nil); err == nil; flooded.Add(1) {
				_, err = w.Write(make([]byte, 64<<10))
			}
			return
		case strings.HasSuffix(r.URL.Path, "/short"):
			_, _ = io.WriteString(w, "complete")
			return
		case strings.HasSuffix(r.URL.Path, "/socket"):
			connection, _, err := control.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer connection.Close()
			fmt.Fprint(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			send(connection, func() error { return nil })
			return
		}
		send(w, control.Flush)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// flooded counts the pieces that upstreams have sent on /flood.
var flooded atomic.Int64

// stuck waits until nothing more of /flood is sent.
func stuck(t *testing.T) {
	t.Helper()
	last, same := int64(0), 0
	harness.Eventually(t, "the buffers are full", func() bool {
		if now := flooded.Load(); now == last && now > 0 {
			same++
		} else {
			last, same = now, 0
		}
		return same > 50
	})
}

// stream is an open response.
type stream struct {
	t     *testing.T
	got   atomic.Int64 // in bytes
	ended atomic.Bool
	err   error // of reading, to be read once ended
	whole error // the error of a response that looks complete
}

// upgrade asks for a WebSocket.
func upgrade(r *http.Request) {
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
}

// http2 sends the request over HTTP/2.
func http2(r *http.Request) { r.Proto = "HTTP/2.0" }

// open sends a request and reads the answer, until the test ends.
func open(t *testing.T, s *harness.Server, path string, options ...harness.Option) *stream {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.URL(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range options {
		option(r)
	}
	transport := &http.Transport{DisableKeepAlives: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(r.Proto != "HTTP/2.0")
	transport.Protocols.SetUnencryptedHTTP2(r.Proto == "HTTP/2.0")
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(path, response.Status)
	}
	opened := &stream{t: t, whole: io.EOF}
	if response.StatusCode == http.StatusSwitchingProtocols {
		opened.whole = nil // a connection has no other end
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for buffer := make([]byte, 512); opened.err == nil; {
			var n int
			n, opened.err = response.Body.Read(buffer)
			opened.got.Add(int64(n))
		}
		opened.ended.Store(true)
	}()
	t.Cleanup(func() {
		_ = response.Body.Close()
		transport.CloseIdleConnections()
		<-read
	})
	harness.Eventually(t, "the first bytes come", func() bool { return opened.got.Load() > 0 })
	return opened
}

// ends fails the test unless the response is broken off.
func (s *stream) ends() {
	s.t.Helper()
	harness.Eventually(s.t, "the response ends", s.ended.Load)
	if errors.Is(s.err, s.whole) {
		s.t.Error("the response looks complete")
	}
}

// goesOn fails the test unless the response lasts for some more checks.
func (s *stream) goesOn() {
	s.t.Helper()
	all := new(checks)
	streams.Process.Add(all)
	defer streams.Process.Remove(all)
	harness.Eventually(s.t, "the responses are checked", func() bool { return all.count.Load() > 3 })
	got := s.got.Load()
	harness.Eventually(s.t, "more comes", func() bool { return s.ended.Load() || s.got.Load() > got })
	if s.ended.Load() {
		s.t.Error("the response ended:", s.err)
	}
}

// checks counts how often all responses are checked.
type checks struct{ count atomic.Int64 }

func (c *checks) Check(time.Time) error { c.count.Add(1); return nil }
func (c *checks) End(error)             {}

// at sets the clock by which credentials end.
func at(t *testing.T, ahead time.Duration) {
	t.Helper()
	streams.Process.SetClock(func() time.Time { return time.Now().Add(ahead) })
	t.Cleanup(func() { streams.Process.SetClock(nil) })
}

// revoke revokes by the admin API.
func revoke(t *testing.T, s *harness.Server, body string) {
	t.Helper()
	if got := s.Do(http.MethodPost, s.AdminURL("/auth/revocations"), harness.Body("application/json", body)); got.Status != http.StatusOK {
		t.Fatal(got.Status, got.Body)
	}
}

// gauge returns how many responses are running at gates with the line.
func gauge(s *harness.Server) string {
	for line := range strings.Lines(s.Get("/metrics").Body) {
		if value, found := strings.CutPrefix(line, `caddy_auth_streams{scheme="corp"} `); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// records returns the log records with a message.
func records(s *harness.Server, message string) (found []map[string]any) {
	for _, record := range s.Decisions() {
		if record["msg"] == message {
			found = append(found, record)
		}
	}
	return found
}
