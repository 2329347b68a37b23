//go:build browser

package browser

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// greeter accepts WebSockets, offers the subprotocol bearer, and sends the caller's name.
func greeter(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if protocols := r.Header.Get("Sec-WebSocket-Protocol"); strings.Contains(protocols, "eyJ") {
			t.Errorf("the token goes on: %s", protocols)
		}
		accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) // RFC 6455 §4.2.2
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		text := "hello " + r.Header.Get("X-User")
		_, err = connection.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: bearer\r\nSec-WebSocket-Accept: " +
			base64.StdEncoding.EncodeToString(accept[:]) + "\r\n\r\n\x81" + string(rune(len(text))) + text))
		if err != nil {
			t.Error(err)
		}
		_, _ = connection.Read(make([]byte, 1)) // until the browser closes
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// TestWebSocket has a script that opens WebSockets with a token.
func TestWebSocket(t *testing.T) {
	s := harness.Start(t, `{
	auth {
		bearer corp {`+harness.BearerLines+`
			token_from websocket
		}
	}
}
http://localhost:8080 {
	require_auth corp {
		forward X-User {http.auth.user.id}
	}
	reverse_proxy `+greeter(t)+`
}
http://localhost:8081 {
	root testdata
	file_server
}
`)
	address := strings.Replace(s.URL("/"), "http://", "ws://", 1)
	open := func(protocols ...string) call {
		return call{"openSocket", address, map[string]any{"protocols": protocols}}
	}
	results := have(t, s.SecondURL("/app.html"), nil, open("bearer", harness.Token(t)), open("bearer"), open("bearer", "no-token"), open("v2"))
	for i, name := range []string{"a token", "the marker alone", "an invalid token", "no token"} {
		t.Run("R6750-1: "+name, func(t *testing.T) {
			if got, want := results[i].Body, map[bool]string{true: "hello alice over bearer"}[i == 0]; got != want {
				t.Errorf("got %+v", results[i])
			}
		})
	}
}
