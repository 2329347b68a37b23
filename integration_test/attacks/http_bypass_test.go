package attacks

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestPreflight brings along with a preflight, which the upstream is to answer,
// what an upstream would follow.
func TestPreflight(t *testing.T) {
	f := newFortress(t, "require_auth corp {\npreflight forward\n}")
	preflight := []string{"Origin: https://a.example", "Access-Control-Request-Method: DELETE"}
	for name, fields := range map[string][]string{
		"a WebSocket":                  {"Connection: Upgrade", "Upgrade: websocket"},
		"a protocol of its own":        {"Connection: Upgrade", "Upgrade: tcp"},
		"a method by X-HTTP-Method":    {"X-HTTP-Method: DELETE"},
		"a method spelled with !":      {"X!HTTP!Method!Override: DELETE"},
		"a method spelled with ~ once": {"X-Method~Override: DELETE"},
		"a key spelled with !":         {"X!API!Key: x"},
	} {
		t.Run("CORS-2: with "+name, func(t *testing.T) {
			f.stops(t, f.Send(lines("OPTIONS /", append(preflight, fields...)...)))
		})
	}
	f.passesWithoutBody(t, "CORS-1", "OPTIONS", "/", preflight...)
}

// passesWithoutBody has requests let in that bring a body where none belongs.
func (f *fortress) passesWithoutBody(t *testing.T, rule, method, path string, fields ...string) {
	t.Helper()
	chunked := append([]string{"Transfer-Encoding: chunked", "Trailer: X-A"}, fields...)
	pseudo := []string{":method", method, ":scheme", "http", ":authority", "localhost", ":path", path}
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		pseudo = append(pseudo, strings.ToLower(name), value)
	}
	for name, send := range map[string]func() *harness.Response{
		"none": func() *harness.Response { return f.Send(lines(method+" "+path, fields...)) },
		"one with length": func() *harness.Response {
			return f.Send(lines(method+" "+path, append(fields, "Content-Length: 4")...) + "evil")
		},
		"one in chunks": func() *harness.Response {
			return f.Send(lines(method+" "+path, chunked...) + "4\r\nevil\r\n0\r\nX-A: evil\r\n\r\n")
		},
		"one of HTTP/2":    func() *harness.Response { return f.SendHTTP2(pseudo, "evil") },
		"one and trailers": func() *harness.Response { return f.SendHTTP2(pseudo, "evil", "x-a", "evil") },
		"one of HTTP/3":    func() *harness.Response { return f.SendHTTP3(new(tls.Config), pseudo, "evil") },
		"one of HTTP/3 and trailers": func() *harness.Response {
			return f.SendHTTP3(new(tls.Config), pseudo, "evil", "x-a", "evil")
		},
	} {
		t.Run(rule+": the body of "+method+" does not go on: "+name, func(t *testing.T) {
			r := send()
			requests := f.take()
			if r.Status != http.StatusOK || len(requests) != 1 {
				t.Fatalf("%d, %d at the upstream", r.Status, len(requests))
			}
			if got := requests[0]; got.body != "" || len(got.trailer) > 0 || got.header.Get("Content-Length") != "" {
				t.Errorf("the upstream got %+v", got)
			}
		})
	}
}

// TestToolsPastTheFields reaches for tools of an MCP server by ways on which no
// field says which tool it is.
func TestToolsPastTheFields(t *testing.T) {
	s := harness.Start(t, `{
	auto_https off
	auth {
		bearer {`+harness.BearerLines+`}
	}
}
http://localhost:8080 {
	require_auth /rules {
		mcp {
			tool delete_* mcp:delete
		}
	}
	require_auth /open {
		mcp
	}
	reverse_proxy `+willing(t)+`
}`)
	good := "Authorization: Bearer " + harness.Token(t)
	honest := []string{good, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: tools/list"}
	socket := []string{"Connection: Upgrade", "Upgrade: websocket"}
	if got := converse(t, s, lines("GET /open", append(socket, good)...)); got != "past the gate as websocket: hello" {
		t.Fatalf("without rules a WebSocket gets %s", got)
	}
	if r := s.Send(lines("GET /rules", good)); r.Status != 200 {
		t.Fatalf("the honest twin gets %d", r.Status)
	}
	for name, request := range map[string]string{
		"a WebSocket":                        lines("GET /rules", append(socket, good)...),
		"a WebSocket whose fields are fine":  lines("POST /rules", append(socket, honest...)...),
		"a protocol of its own":              lines("GET /rules", good, "Connection: Upgrade", "Upgrade: jsonrpc"),
		"a method by X-HTTP-Method-Override": lines("GET /rules", good, "X-HTTP-Method-Override: POST"),
		"a method spelled with !":            lines("GET /rules", good, "X!HTTP!Method!Override: POST"),
		"CONNECT whose fields are fine":      lines("CONNECT /rules", honest...),
	} {
		t.Run("MCP-11: "+name, func(t *testing.T) {
			if r := s.Send(request); r.Status != 400 || strings.Contains(r.Body, "stayed") {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

// TestToolsInBodies hides operations in the bodies of methods that ask for none.
func TestToolsInBodies(t *testing.T) {
	f := newFortress(t, "require_auth corp {\nmcp {\ntool delete_* mcp:delete\n}\n}")
	for _, method := range []string{"GET", "HEAD", "DELETE", "OPTIONS"} {
		f.passesWithoutBody(t, "MCP-11", method, "/", "Authorization: Bearer "+f.token)
	}
}
