package idp

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// trusting returns a client that trusts the certificate of a server.
func trusting(server *httptest.Server) *http.Client {
	client := NewClient()
	client.Transport = server.Client().Transport
	return client
}

func TestClientRedirects(t *testing.T) {
	document := `{"keys":[]}`
	elsewhere := newSite(t, "application/json", map[string]string{"/keys": document})
	secure := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL+"/keys", http.StatusFound))
	t.Cleanup(secure.Close)
	hops := map[string]string{"/once": "/keys", "/thrice": "/twice", "/twice": "/once", "/four": "/thrice", "/loop": "/loop", "/away": elsewhere.URL + "/keys"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if to, found := hops[request.URL.Path]; found {
			http.Redirect(w, request, to, http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, document)
	}))
	t.Cleanup(server.Close)
	tests := []struct {
		name, address, fail string
		client              *http.Client
	}{
		{"same origin", server.URL + "/once", "", NewClient()},
		{"three of them", server.URL + "/thrice", "", NewClient()},
		{"four of them", server.URL + "/four", "more than 3", NewClient()},
		{"a loop", server.URL + "/loop", "more than 3", NewClient()},
		{"R8414-1: another origin", server.URL + "/away", "another origin", NewClient()},
		{"R8414-1: from https to http", secure.URL, "another origin", trusting(secure)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Fetch(t.Context(), test.client, test.address, nil)
			if test.fail == "" && err != nil || test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)) {
				t.Errorf("got %v, want %q", err, test.fail)
			}
		})
	}
	if requests := elsewhere.paths(); len(requests) != 0 {
		t.Errorf("the other origin was asked for %q", requests)
	}
}

func TestClientLimits(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		switch request.URL.Path {
		case "/largest":
			_, _ = io.WriteString(w, strings.Repeat(" ", MaxDocument))
		case "/larger":
			_, _ = io.WriteString(w, strings.Repeat(" ", MaxDocument+1))
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			packed := gzip.NewWriter(w)
			_, _ = io.WriteString(packed, strings.Repeat(" ", 16*MaxDocument))
			_ = packed.Close()
		case "/trickle":
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			<-release
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	tests := []struct {
		path    string
		timeout time.Duration
		fail    string
	}{
		{"/largest", time.Minute, ""},
		{"/larger", time.Minute, "more than"},
		{"/bomb", time.Minute, "more than"},
		{"/trickle", 50 * time.Millisecond, "deadline"},
	}
	for _, test := range tests {
		t.Run("JWT-14: "+test.path, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), test.timeout)
			defer cancel()
			_, err := Fetch(ctx, NewClient(), server.URL+test.path+"?key=hunter2", nil)
			if test.fail == "" && err != nil || test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)) {
				t.Errorf("got %v, want %q", err, test.fail)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the query shows: %v", err)
			}
		})
	}
}

// endless is an answer that never ends, and counts what is read of it.
type endless struct{ read int }

func (e *endless) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(e)}, nil
}

func (e *endless) Read(buffer []byte) (int, error) {
	e.read += len(buffer)
	if e.read > 8*MaxDocument {
		return 0, io.EOF
	}
	return len(buffer), nil
}

func TestClientStopsReading(t *testing.T) {
	// JWT-14.
	source := new(endless)
	_, err := Fetch(t.Context(), &http.Client{Transport: source}, "https://id.example/keys", nil)
	if err == nil || source.read > 2*MaxDocument {
		t.Errorf("read %d bytes, error %v", source.read, err)
	}
}

func TestErrorsDoNotVary(t *testing.T) {
	// The port on this side of a connection would make each failure a new reason
	// to log.
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // reset it, so that the error names both ends
		}
		_ = connection.Close()
	}))
	t.Cleanup(server.Close)
	var reasons [3]string
	for i := range reasons {
		_, err := Fetch(t.Context(), NewClient(), server.URL+"/?key=hunter2", nil)
		if err == nil {
			t.Fatal("fetched")
		}
		reasons[i] = err.Error()
	}
	if reasons[0] != reasons[1] || reasons[1] != reasons[2] || strings.Contains(reasons[0], "hunter2") {
		t.Errorf("got %q", reasons)
	}
}
