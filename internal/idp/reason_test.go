package idp

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestReasonOf(t *testing.T) {
	answering := func(status int, body string) *httptest.Server {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(server.Close)
		return server
	}
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() }) // accepts and never answers
	closed := answering(http.StatusOK, "")
	closed.Close()
	for want, url := range map[string]string{
		ReasonStatus:      answering(http.StatusNotFound, "").URL,
		ReasonInvalid:     answering(http.StatusOK, "garbage").URL,
		ReasonUnreachable: closed.URL,
		ReasonCertificate: secure.URL,
		ReasonTimeout:     "http://" + listener.Addr().String(),
	} {
		t.Run(want, func(t *testing.T) {
			limit := 10 * time.Second
			if want == ReasonTimeout {
				limit = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := Discover(ctx, NewClient(), url)
			if got := ReasonOf(err); got != want {
				t.Errorf("%v is %q", err, got)
			}
		})
	}
	if got := ReasonOf(nil); got != "" {
		t.Errorf("nothing is %q", got)
	}
}
