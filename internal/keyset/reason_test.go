package keyset

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
			timeout := 10 * time.Second
			if want == ReasonTimeout {
				timeout = 50 * time.Millisecond
			}
			remote, err := NewRemote(t.Context(), RemoteConfig{URL: url, Timeout: timeout})
			if err != nil {
				t.Fatal(err)
			}
			told := make(chan error, 10)
			stop := remote.OnFailure(func(failure error) { told <- failure })
			defer stop()
			failure := remote.Refresh(context.Background())
			if got := ReasonOf(failure); got != want || remote.Status().Reason != want {
				t.Errorf("%v is %q, and the status says %q", failure, got, remote.Status().Reason)
			}
			if got := ReasonOf(<-told); got != want {
				t.Errorf("told of %q", got)
			}
			if _, failed := remote.Fetches(); failed == 0 {
				t.Error("it is not counted")
			}
		})
	}
	if got := ReasonOf(nil); got != "" {
		t.Errorf("nothing is %q", got)
	}
}
