// Package idp talks to an identity provider: it fetches documents, reads metadata
// and says why a provider cannot answer.
package idp

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	// MaxDocument is the largest document that is fetched, in bytes.
	MaxDocument = 1 << 20
	// maxRedirects is how many redirects are followed, all within one origin.
	maxRedirects = 3
	// maxIdle is how many connections are kept for the next calls. Keys are fetched
	// once in a while; tokens are introspected all the time.
	maxIdle = 128
)

// NewClient returns a client for one provider. It follows at most three redirects, and
// none to another origin or from https to http. The operator has not named such a
// server. Connecting and the TLS handshake may take 5 seconds each, the header of an
// answer 10, and everything together 30. The proxy is taken from the environment.
func NewClient() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, CheckRedirect: checkRedirect, Transport: newTransport(new(tls.Config))}
}

func newTransport(config *tls.Config) *http.Transport {
	config.MinVersion = tls.VersionTLS12
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            whileOnline(dialer.DialContext),
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  10 * time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConnsPerHost:    maxIdle,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

func checkRedirect(next *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	if to := origin(next.URL); to != origin(via[0].URL) {
		return fmt.Errorf("redirected to another origin, %.128q", to)
	}
	return nil
}

// Document is an answer.
type Document struct {
	Status    int
	Body      []byte
	mediaType string
}

// IsJSON reports whether the document was declared to be JSON (RFC 8259 §11, RFC
// 6839 §3.1).
func (d *Document) IsJSON() bool {
	return d.mediaType == "application/json" ||
		strings.HasPrefix(d.mediaType, "application/") && strings.HasSuffix(d.mediaType, "+json")
}

// Fetch gets a document of at most MaxDocument bytes. Errors name the address,
// without its query.
func Fetch(ctx context.Context, client *http.Client, address string, header http.Header) (*Document, error) {
	return FetchUpTo(ctx, client, address, header, MaxDocument)
}

// FetchUpTo is [Fetch] with another bound.
func FetchUpTo(ctx context.Context, client *http.Client, address string, header http.Header, most int64) (*Document, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Loggable(address), Plain(err))
	}
	request.Header = header
	found, err := Exchange(client, request, most)
	if err == nil && found.Status != http.StatusOK {
		err = StatusError(found.Status)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Loggable(address), err)
	}
	return found, nil
}

// Exchange sends a request and returns the answer, whose body has a bound in bytes. Of
// errors it reads the body only after a POST, because OAuth has a code there. Errors are
// fit for the log, see [Plain].
func Exchange(client *http.Client, request *http.Request, most int64) (*Document, error) {
	response, err := client.Do(request) //nolint:gosec // the configuration or the metadata of the provider name the address
	if err != nil {
		return nil, Plain(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	answer := &Document{Status: response.StatusCode}
	failed := answer.Status >= http.StatusMultipleChoices
	if failed && request.Method != http.MethodPost {
		return answer, nil
	}
	if answer.Body, err = io.ReadAll(io.LimitReader(response.Body, most+1)); err != nil {
		return nil, Plain(err)
	}
	if int64(len(answer.Body)) > most {
		if !failed {
			return nil, fmt.Errorf("answered with more than %d bytes", most)
		}
		answer.Body = nil
	}
	answer.mediaType, _, _ = mime.ParseMediaType(response.Header.Get("Content-Type"))
	return answer, nil
}
