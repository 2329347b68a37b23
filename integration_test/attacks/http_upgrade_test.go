package attacks

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// willing is an upstream that accepts any Upgrade. It switches to the first protocol,
// and then serves every request on the connection.
func willing(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol := r.Header.Get("Upgrade")
		if protocol == "" || !strings.EqualFold(r.Header.Get("Connection"), "Upgrade") {
			fmt.Fprintf(w, "stayed, %d settings", len(r.Header["Http2-Settings"]))
			return
		}
		connection, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		fmt.Fprintf(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
		line, _ := buffered.ReadString('\n')
		fmt.Fprintf(connection, "past the gate as %s: %s", protocol, line)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestUpgrade tries to go on past the gate on a connection whose first request
// was let in.
func TestUpgrade(t *testing.T) {
	s := harness.Start(t, `{
		auto_https off
		auth {
			bearer {
				`+harness.BearerLines+`
			}
		}
	}
	http://localhost:8080 {
		require_auth /me {
			forward X-User {http.auth.user.id}
		}
		require_auth /open {
			optional
		}
		reverse_proxy `+willing(t)+`
	}`)
	bearer := "Authorization: Bearer " + harness.Token(t) + "\r\n"
	for name, test := range map[string]struct{ request, fields, want string }{
		"h2c as RFC 7540 has it":           {"GET /me", bearer + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", "stayed, 0 settings"},
		"h2c whose settings are not named": {"GET /me", bearer + "Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n", "stayed, 0 settings"},
		"h2c in capitals":                  {"GET /me", bearer + "Connection: upgrade\r\nUpgrade: H2C\r\n", "stayed, 0 settings"},
		"h2c behind another":               {"GET /me", bearer + "Connection: Upgrade\r\nUpgrade: HTTP/3.0,\t h2c \r\n", "stayed, 0 settings"},
		"h2c in a second field":            {"GET /me", bearer + "Connection: Upgrade\r\nUpgrade: TLS/1.3\r\nUpgrade: h2c\r\n", "stayed, 0 settings"},
		"all others that carry HTTP":       {"GET /me", bearer + "Connection: Upgrade\r\nUpgrade: h2, h3, http, https\r\n", "stayed, 0 settings"},
		"HTTP/1.1":                         {"GET /me", bearer + "Connection: Upgrade\r\nUpgrade: HTTP/1.1\r\n", "stayed, 0 settings"},
		"TLS":                              {"OPTIONS /me", bearer + "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", "stayed, 0 settings"},
		"h2c without a credential":         {"GET /open", "Connection: Upgrade\r\nUpgrade: h2c\r\n", "stayed, 0 settings"},
		"h2c in a preflight":               {"OPTIONS /me", "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", ""},
		"a WebSocket goes on":              {"GET /me", bearer + "Connection: Upgrade\r\nUpgrade: websocket\r\n", "past the gate as websocket: hello"},
		"a WebSocket beside h2c goes on":   {"GET /me", bearer + "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", "past the gate as websocket: hello"},
		"a protocol of its own goes on":    {"POST /me", bearer + "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n", "past the gate as spdy/3.1: hello"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := converse(t, s, test.request+" HTTP/1.1\r\nHost: localhost\r\n"+test.fields+"\r\n"); got != test.want {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Run("R9110-3: a WebSocket without a credential is 401 and no 101", func(t *testing.T) {
		if got := converse(t, s, "GET /me HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"); !strings.HasPrefix(got, `{"type":"about:blank","title":"Unauthorized"`) {
			t.Errorf("got %q", got)
		}
	})
}

// converse sends a request, says hello after 101, and returns what came then, or
// the body of an answer.
func converse(t *testing.T, s *harness.Server, request string) string {
	t.Helper()
	connection := s.Dial()
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusSwitchingProtocols {
		if _, err := io.WriteString(connection, "hello\n"); err != nil {
			t.Fatal(err)
		}
		line, err := reader.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(line)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
