package responsewriter

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// serve runs a handler with a writer that can be aborted, and returns the client.
func serve(t *testing.T, handle func(w *Writer)) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		handle(New(w, func(http.Header) {}))
	}))
	t.Cleanup(server.Close)
	return server
}

func TestAbort(t *testing.T) {
	result := make(chan error, 1)
	server := serve(t, func(w *Writer) {
		w.Watch(func(int, http.Header) bool { return true }, func() {})
		_, first := io.WriteString(w, "begun")
		_ = w.FlushError()
		w.Abort()
		_, write := io.WriteString(w, "more")
		_, copied := w.ReadFrom(errorReader{})
		result <- errors.Join(first, cmpError(write), cmpError(copied), cmpError(w.FlushError()))
		if !w.Finish() {
			result <- errors.New("the response was not ended")
		}
	})
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err == nil || string(body) != "begun" {
		t.Errorf("%q, %v", body, err)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

func cmpError(err error) error {
	if errors.Is(err, ErrAborted) {
		return nil
	}
	return fmt.Errorf("another error: %w", err)
}

// errorReader has one byte, again and again.
type errorReader struct{}

func (errorReader) Read(p []byte) (int, error) { return copy(p, "x"), nil }

func TestAbortAfterTheHandler(t *testing.T) {
	var writers []*Writer
	server := serve(t, func(w *Writer) {
		for _, earlier := range writers {
			earlier.Abort()
		}
		w.Watch(nil, func() {})
		writers = append(writers, w)
		_, _ = io.WriteString(w, "whole")
		w.Finish()
	})
	for range 3 {
		response, err := server.Client().Get(server.URL) // on the same connection
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != "whole" {
			t.Errorf("%q, %v", body, err)
		}
	}
}

func TestAbortHijacked(t *testing.T) {
	for name, abortFirst := range map[string]bool{"after": false, "before": true} {
		t.Run(name, func(t *testing.T) {
			var events []string
			handled := make(chan struct{})
			server := serve(t, func(w *Writer) {
				defer close(handled)
				w.Watch(func(status int, _ http.Header) bool {
					events = append(events, fmt.Sprint("begin ", status))
					return true
				}, func() { events = append(events, "over") })
				if abortFirst {
					w.Abort()
				}
				connection, _, err := w.Hijack()
				if abortFirst {
					if !errors.Is(err, ErrAborted) {
						t.Error(err)
					}
					return
				}
				if err != nil || w.Finish() || len(events) != 1 {
					t.Error(err, events)
				}
				w.Abort()
				if _, err := connection.Read(make([]byte, 1)); err == nil {
					t.Error("the connection is open")
				}
				_ = connection.(interface{ CloseWrite() error }).CloseWrite() // maybe it is closed
				_ = connection.Close()
				w.Abort()
			})
			connection, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if _, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if all, _ := io.ReadAll(connection); len(all) > 0 {
				t.Errorf("%q", all)
			}
			<-handled
			if !abortFirst && !slices.Equal(events, []string{"begin 101", "over"}) {
				t.Error(events)
			}
		})
	}
}

func TestHijackWithoutWatch(t *testing.T) {
	server := serve(t, func(w *Writer) {
		connection, _, err := w.Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = connection.Close()
	})
	if response, err := http.Get(server.URL); err == nil {
		response.Body.Close()
		t.Error(response.Status)
	}
}

// copier is a server that can read by itself.
type copier struct {
	*httptest.ResponseRecorder
	copied bool
}

func (c *copier) ReadFrom(r io.Reader) (int64, error) {
	c.copied = true
	return io.Copy(plain{c.ResponseRecorder}, r)
}

func TestCopy(t *testing.T) {
	for _, mayEnd := range []bool{false, true} {
		server := &copier{ResponseRecorder: httptest.NewRecorder()}
		w := New(server, func(http.Header) {})
		w.Watch(func(int, http.Header) bool { return mayEnd }, func() {})
		if n, err := w.ReadFrom(strings.NewReader("file")); n != 4 || err != nil || server.Body.String() != "file" || server.copied == mayEnd {
			t.Errorf("%t: %d, %v, %q, copied by the server %t", mayEnd, n, err, server.Body, server.copied)
		}
	}
}
