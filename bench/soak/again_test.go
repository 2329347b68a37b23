package main

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// flaky fails so many times, and then answers with what it was sent.
type flaky struct {
	times int
	err   error
}

func (f *flaky) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if f.times--; f.times >= 0 {
		return nil, f.err
	}
	return &http.Response{Body: io.NopCloser(strings.NewReader(string(body)))}, nil
}

func TestAgain(t *testing.T) {
	for name, c := range map[string]struct {
		flaky
		cut  int64
		fine bool
	}{
		"at once":          {flaky{0, nil}, 0, true},
		"cut twice":        {flaky{2, syscall.ECONNRESET}, 2, true},
		"cut all the time": {flaky{9, io.EOF}, 4, false},
		"another error":    {flaky{1, errors.New("refused")}, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			wire := &again{transport: &c.flaky}
			r, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/", strings.NewReader("a body"))
			if err != nil {
				t.Fatal(err)
			}
			response, err := wire.RoundTrip(r)
			if (err == nil) != c.fine || wire.cut.Load() != c.cut {
				t.Errorf("%v, %d cut", err, wire.cut.Load())
			}
			if err != nil {
				return
			}
			if body, err := io.ReadAll(response.Body); err != nil || string(body) != "a body" {
				t.Errorf("%q, %v", body, err)
			}
		})
	}
}

// TestAgainLetsGo has an HTTP client close what lies idle, which it can only if
// each layer passes that on.
func TestAgainLetsGo(t *testing.T) {
	inner := new(idle)
	(&http.Client{Transport: &again{transport: inner}}).CloseIdleConnections()
	if !inner.closed {
		t.Error("connections stay open")
	}
}

type idle struct {
	flaky
	closed bool
}

func (i *idle) CloseIdleConnections() { i.closed = true }
