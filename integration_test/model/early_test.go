package model

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// early gives requests to the running Caddy as if they had come in early data. The
// tests of attacks send them over a connection.
type early struct{}

// RoundTrip returns the answer of the server that listens where the request is
// for.
func (early) RoundTrip(r *http.Request) (*http.Response, error) {
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		return nil, err
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		if server.Listen[0] != ":"+r.URL.Port() {
			continue
		}
		clone := r.Clone(r.Context())
		clone.Host, clone.URL = r.URL.Host, &url.URL{Path: r.URL.Path}
		clone.Body, clone.RequestURI, clone.RemoteAddr = http.NoBody, r.URL.Path, "127.0.0.1:1"
		clone.Header = http.Header{}
		for name, values := range r.Header {
			name = http.CanonicalHeaderKey(name) // as servers read it
			clone.Header[name] = append(clone.Header[name], values...)
		}
		clone.TLS = &tls.ConnectionState{ServerName: r.URL.Hostname()}
		w := httptest.NewRecorder()
		server.ServeHTTP(w, clone)
		return w.Result(), nil
	}
	return nil, errors.New("no server listens there")
}
