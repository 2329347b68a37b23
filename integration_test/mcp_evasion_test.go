package integration

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// guardedMCP has a tool with an encoded name besides those of the recipe, and
// speaks HTTP/2 without TLS, and HTTP/3.
func guardedMCP(t *testing.T, more string) *harness.Server {
	t.Helper()
	certificate, key := harness.SaveCertificate(t, harness.Certificate(t, "localhost", nil, time.Hour))
	return harness.Start(t, `{
	auto_https off
	servers {
		protocols h1 h2 h2c h3
	}
	auth {
		bearer corp {`+harness.BearerLines+`}
	}
}
(site) {
	require_auth {
		mcp {
			tool delete_* mcp:delete
			tool löschen  mcp:delete
			`+more+`
		}
		strip_credentials
	}
	reverse_proxy `+mcpServer(t)+`
}
http://localhost:8080 {
	import site
}
https://localhost:8081 {
	tls `+certificate+` `+key+`
	import site
}`)
}

// attempt is a request for a tool that the token has no scope for.
type attempt struct {
	method string
	tool   string
	fields []string // in pairs
}

func (a attempt) body() string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":%q}}`, a.tool)
}

func (a attempt) pseudo() []string {
	return []string{":method", a.method, ":scheme", "http", ":authority", "localhost", ":path", "/mcp"}
}

func (a attempt) all(token string) []string {
	return append([]string{"authorization", "Bearer " + token, "content-type", "application/json"}, a.fields...)
}

const (
	revisionField, current, methodField, nameField = "mcp-protocol-version", "2026-07-28", "mcp-method", "mcp-name"
)

// evasions are requests that a server could take for a call of a tool, though
// their fields do not say so in as many words.
var evasions = map[string]attempt{
	"no fields":                    {"POST", "delete_file", nil},
	"an older revision":            {"POST", "delete_file", []string{revisionField, "2025-11-25", methodField, "tools/list"}},
	"a revision twice":             {"POST", "delete_file", []string{revisionField, current, revisionField, "2025-11-25", methodField, "tools/list"}},
	"a name twice":                 {"POST", "delete_file", []string{revisionField, current, methodField, "tools/call", nameField, "read", nameField, "delete_file"}},
	"a name that is left out":      {"POST", "delete_file", []string{revisionField, current, methodField, "tools/call"}},
	"a broken encoding":            {"POST", "delete_file", []string{revisionField, current, methodField, "tools/call", nameField, "=?base64?ZGVsZXRlX2ZpbGU?="}},
	"an encoded revision":          {"POST", "delete_file", []string{revisionField, "=?base64?MjAyNi0wNy0yOA==?=", methodField, "tools/list"}},
	"a method by another field":    {"GET", "delete_file", []string{"x-http-method-override", "POST"}},
	"a method by a shorter field":  {"DELETE", "delete_file", []string{"x-method-override", "POST"}},
	"a method spelled with !":      {"POST", "delete_file", []string{revisionField, current, methodField, "tools/list", "mcp!method", "tools/call"}},
	"another HTTP method":          {"PUT", "delete_file", nil},
	"a name in another form":       {"POST", "lo\u0308schen", []string{revisionField, current, methodField, "tools/call", nameField, "=?base64?bG/MiHNjaGVu?="}},
	"a name in Latin-1":            {"POST", "löschen", []string{revisionField, current, methodField, "tools/call", nameField, "l\xf6schen"}},
	"a name in UTF-8":              {"POST", "löschen", []string{revisionField, current, methodField, "tools/call", nameField, "löschen"}},
	"a name in capital encoding":   {"POST", "löschen", []string{revisionField, current, methodField, "tools/call", nameField, "=?BASE64?bMO2c2NoZW4=?="}},
	"a revision taken away":        {"POST", "delete_file", []string{revisionField, current, methodField, "tools/list", "connection", "MCP-Protocol-Version"}},
	"a revision taken away, later": {"POST", "delete_file", []string{revisionField, current, methodField, "tools/list", "connection", "keep-alive", "connection", "close, mcp-protocol-version"}},
}

// ofHTTP2 are those that HTTP/1.1 cannot carry, and HTTP/2 and HTTP/3 can: its servers trim fields.
var ofHTTP2 = map[string]attempt{
	"a space before the name":   {"POST", "delete_file", []string{revisionField, current, methodField, "tools/call", nameField, " delete_file"}},
	"a tab behind the name":     {"POST", "delete_file", []string{revisionField, current, methodField, "tools/call", nameField, "delete_file\t"}},
	"a space before the method": {"POST", "delete_file", []string{revisionField, current, methodField, " tools/call", nameField, "delete_file"}},
}

func TestMCPEvasion(t *testing.T) {
	s := guardedMCP(t, "")
	token := harness.Token(t)
	wantRefused := func(t *testing.T, status int, body string) {
		t.Helper()
		if status != 400 || !strings.Contains(body, `"invalid_request"`) {
			t.Errorf("%d %s", status, body)
		}
	}
	for name, attempt := range evasions {
		t.Run("MCP-11: HTTP/1.1, "+name, func(t *testing.T) {
			status, body := sendHTTP1(s, attempt, token)
			wantRefused(t, status, body)
		})
		if slices.Contains(attempt.fields, "connection") {
			continue // HTTP/2 has no such field
		}
		t.Run("MCP-11: HTTP/2, "+name, func(t *testing.T) {
			status, body := sendHTTP2(s, attempt, token)
			wantRefused(t, status, body)
		})
		t.Run("MCP-11: HTTP/3, "+name, func(t *testing.T) {
			status, body := sendHTTP3(s, attempt, token)
			wantRefused(t, status, body)
		})
	}
	for name, attempt := range ofHTTP2 {
		t.Run("MCP-11: HTTP/2, "+name, func(t *testing.T) {
			status, body := sendHTTP2(s, attempt, token)
			wantRefused(t, status, body)
		})
		t.Run("MCP-11: HTTP/3, "+name, func(t *testing.T) {
			status, body := sendHTTP3(s, attempt, token)
			wantRefused(t, status, body)
		})
	}
	for name, honest := range map[string][]string{
		"delete_file": {revisionField, current, methodField, "tools/call", nameField, "delete_file"},
		"löschen":     {revisionField, current, methodField, "tools/call", nameField, "=?base64?bMO2c2NoZW4=?="},
	} {
		t.Run("MCP-11: who says that it is "+name+" needs its scope, and with it may", func(t *testing.T) {
			a := attempt{"POST", name, honest}
			for scope, want := range map[string]int{"read": 403, "mcp:delete": 200} {
				token := harness.Token(t, harness.Claims{"scope": scope})
				if status, body := sendHTTP1(s, a, token); status != want {
					t.Errorf("HTTP/1.1 with %s: %d %s", scope, status, body)
				}
				if status, body := sendHTTP2(s, a, token); status != want {
					t.Errorf("HTTP/2 with %s: %d %s", scope, status, body)
				}
				if status, body := sendHTTP3(s, a, token); status != want {
					t.Errorf("HTTP/3 with %s: %d %s", scope, status, body)
				}
			}
		})
	}
	t.Run("MCP-11: fields that contradict the body are for the server to refuse", func(t *testing.T) {
		lie := attempt{"POST", "delete_file", []string{revisionField, current, methodField, "tools/call", nameField, "read_file"}}
		if status, body := sendHTTP1(s, lie, token); status != 400 || !strings.Contains(body, "-32020") {
			t.Errorf("%d %s", status, body)
		}
	})
}

// sendHTTP1 makes an attempt in a request of HTTP/1.1.
func sendHTTP1(s *harness.Server, a attempt, token string) (int, string) {
	fields := a.all(token)
	var request strings.Builder
	fmt.Fprintf(&request, "%s /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", a.method, len(a.body()))
	for i := 0; i < len(fields); i += 2 {
		fmt.Fprintf(&request, "%s: %s\r\n", fields[i], fields[i+1])
	}
	response := s.Send(request.String() + "\r\n" + a.body())
	return response.Status, response.Body
}

// TestMCPInspectEverywhere has bodies read in each version of HTTP.
func TestMCPInspectEverywhere(t *testing.T) {
	s := guardedMCP(t, "inspect 1KiB")
	token, wider := harness.Token(t), harness.Token(t, harness.Claims{"scope": "mcp:delete"})
	for version, send := range map[string]func(*harness.Server, attempt, string) (int, string){"HTTP/1.1": sendHTTP1, "HTTP/2": sendHTTP2, "HTTP/3": sendHTTP3} {
		for name, c := range map[string]struct {
			attempt
			token string
			want  int
		}{
			"a tool without its scope":            {attempt{"POST", "delete_file", []string{revisionField, "2025-11-25"}}, token, 403},
			"a tool with its scope":               {attempt{"POST", "delete_file", []string{revisionField, "2025-11-25"}}, wider, 200},
			"another tool":                        {attempt{"POST", "read_file", []string{revisionField, "2025-11-25"}}, token, 200},
			"a tool without a revision":           {attempt{"POST", "delete_file", nil}, token, 403},
			"a body that contradicts its fields":  {attempt{"POST", "delete_file", []string{revisionField, current, methodField, "tools/call", nameField, "read_file"}}, wider, 400},
			"a body that is too large":            {attempt{"POST", strings.Repeat("x", 2<<10), nil}, wider, 413},
			"a name that is not in normal form C": {attempt{"POST", "lo\u0308schen", nil}, wider, 400},
		} {
			t.Run("MCP-11: "+version+", "+name, func(t *testing.T) {
				if status, body := send(s, c.attempt, c.token); status != c.want {
					t.Errorf("%d %s, want %d", status, body, c.want)
				}
			})
		}
	}
}

// sendHTTP2 does so in one of HTTP/2.
func sendHTTP2(s *harness.Server, a attempt, token string) (int, string) {
	response := s.SendHTTP2(append(a.pseudo(), a.all(token)...), a.body())
	return response.Status, response.Body
}

// sendHTTP3 does so in one of HTTP/3.
func sendHTTP3(s *harness.Server, a attempt, token string) (int, string) {
	response := s.SendHTTP3(new(tls.Config), append(a.pseudo(), a.all(token)...), a.body())
	return response.Status, response.Body
}
