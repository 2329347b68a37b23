package keyset

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxRedirects is how many redirects are followed, all within one origin.
const maxRedirects = 3

// NewClient returns a client for talking to an identity provider. It follows at
// most three redirects and none to another origin, which includes those from
// https to http: an answer would otherwise come from somebody the operator has
// not named. Connecting and the TLS handshake may take 5 seconds each, the
// header of an answer 10, and everything together 30. The proxy is taken from
// the environment.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: checkRedirect,
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            whileOnline(dialer.DialContext),
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    5 * time.Second,
			ResponseHeaderTimeout:  10 * time.Second,
			IdleConnTimeout:        90 * time.Second,
			MaxIdleConnsPerHost:    2,
			MaxResponseHeaderBytes: 64 << 10,
		},
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

// answer is a body that came with status 200, and its media type.
type answer struct {
	body      []byte
	mediaType string
}

// isJSON reports whether the answer was declared to be JSON (RFC 8259 §11, RFC
// 6839 §3.1).
func (a *answer) isJSON() bool {
	return a.mediaType == "application/json" ||
		strings.HasPrefix(a.mediaType, "application/") && strings.HasSuffix(a.mediaType, "+json")
}

// get fetches a document of at most MaxDocument bytes. Errors name the address,
// without its query.
func get(ctx context.Context, client *http.Client, address, accept string) (*answer, error) {
	found, err := download(ctx, client, address, accept)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", loggable(address), plain(err))
	}
	return found, nil
}

func download(ctx context.Context, client *http.Client, address, accept string) (*answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", accept)
	response, err := guarded(client).Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	if response.StatusCode != http.StatusOK {
		return nil, statusError(response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(body) > MaxDocument {
		return nil, fmt.Errorf("answered with more than %d bytes", MaxDocument)
	}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return &answer{body: body, mediaType: mediaType}, nil
}

// guarded gives the redirect rule to a client that has none of its own.
func guarded(client *http.Client) *http.Client {
	if client.CheckRedirect != nil {
		return client
	}
	copied := *client
	copied.CheckRedirect = checkRedirect
	return &copied
}

// plain strips an error of what does not belong in a log or changes each time:
// the whole URL, and the port on this side of a connection.
func plain(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if wrapped, ok := errors.AsType[*net.OpError](err); ok {
		without := *wrapped
		without.Source = nil
		return &without
	}
	return err
}
