package main

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"syscall"
)

// again sends a request once more when its connection is cut, and counts that. At a
// reload the old and the new configuration listen together for a moment. The system
// resets connections that the old one has not accepted. Caddy does that without the
// plugin too, and clients connect again. One that was accepted and then cut has been
// judged already: its proof would be used when it comes again.
type again struct {
	transport http.RoundTripper
	cut       atomic.Int64
}

// RoundTrip sends a request, four times at most.
func (a *again) RoundTrip(r *http.Request) (*http.Response, error) {
	for times := 1; ; times++ {
		response, err := a.transport.RoundTrip(r)
		if err == nil || !isCut(err) {
			return response, err
		}
		a.cut.Add(1)
		if times == 4 {
			return nil, err
		}
		r = r.Clone(r.Context())
		if r.GetBody != nil {
			if r.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] looks for.
func (a *again) CloseIdleConnections() {
	if closer, ok := a.transport.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

func isCut(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
}
