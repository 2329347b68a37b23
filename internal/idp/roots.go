package idp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/watch"
)

// NewClientTrusting is [NewClient] with the certificates of the PEM file in a line
// `ca_file` as further roots, if there is one. The file is followed until ctx ends. An
// invalid version is logged, and the last valid one stays.
func NewClientTrusting(ctx context.Context, file string, logger *zap.Logger) (*http.Client, error) {
	client := NewClient()
	if file == "" {
		return client, nil
	}
	transport := new(followingTransport)
	err := watch.File(ctx, file, logger, func(content []byte) error {
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		if !roots.AppendCertsFromPEM(content) {
			return errors.New("no PEM certificate")
		}
		if former := transport.current.Swap(newTransport(&tls.Config{RootCAs: roots})); former != nil {
			former.CloseIdleConnections()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	client.Transport = transport
	return client, nil
}

// followingTransport is replaced when its roots change.
type followingTransport struct {
	current atomic.Pointer[http.Transport]
}

func (f *followingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	return f.current.Load().RoundTrip(request)
}

// CloseIdleConnections is what [http.Client.CloseIdleConnections] finds.
func (f *followingTransport) CloseIdleConnections() { f.current.Load().CloseIdleConnections() }
