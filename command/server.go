package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
)

const (
	// serverTimeout is how long an answer of the admin API may take.
	serverTimeout = 10 * time.Second
	// maxAnswer bounds an answer of the admin API, in bytes.
	maxAnswer = 16 << 20
)

// CallServer sends a request to the admin API of a running server and returns the answer.
// The address is that of the global option `admin`, which may be a Unix socket, or a URL.
func CallServer(ctx context.Context, address, method, path string, body []byte, timeout time.Duration) ([]byte, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if parsed, err := caddy.ParseNetworkAddress(address); err == nil && parsed.IsUnixNetwork() {
		socket, _, _ := strings.Cut(parsed.Host, "|") // behind it are the permissions of the file
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
		address = "127.0.0.1" // what Caddy expects at a socket
	}
	if !strings.Contains(address, "://") {
		address = "http://" + address
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(address, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := (&http.Client{Transport: transport, Timeout: timeout}).Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		var failure struct {
			Error string `json:"error"`
		}
		_ = json.Unmarshal(answer, &failure)
		return nil, fmt.Errorf("the server answers with status %d: %s", response.StatusCode, failure.Error)
	}
	return answer, nil
}
