package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

var caddyfileBlock = regexp.MustCompile("(?s)```caddyfile\n(.*?)```")

// mcpSite runs both examples of docs/mcp.md in front of one server.
func mcpSite(t *testing.T) *harness.Server {
	t.Helper()
	page, err := os.ReadFile("../docs/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := caddyfileBlock.FindAllStringSubmatch(string(page), -1)
	if len(examples) != 2 {
		t.Fatalf("%d examples were found", len(examples))
	}
	return harness.Start(t, strings.NewReplacer(
		"old.example.com {", "http://old.example.com:8080 {",
		"mcp.example.com {", "http://localhost:8080 {",
		"bearer {", "bearer {\nhmac_secret demonstration-only-secret-of-32-bytes-or-more",
		"localhost:9000", mcpServer(t),
	).Replace(examples[0][1]+examples[1][1]))
}

// TestMCP gives the commands of docs/mcp.md.
func TestMCP(t *testing.T) {
	s := mcpSite(t)
	if requests := runTour(t, s.Addr(), readTour(t, "../docs/mcp.md")); requests < 15 {
		t.Errorf("the page has %d requests: were they found?", requests)
	}
}

func TestMCPOrigins(t *testing.T) {
	s := mcpSite(t)
	post := func(token string, options ...harness.Option) *harness.Response {
		options = append(options, harness.Body("application/json", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`),
			harness.Header("Mcp-Protocol-Version", "2026-07-28"), harness.Header("Mcp-Method", "tools/list"))
		if token != "" {
			options = append(options, harness.Bearer(token))
		}
		return s.Do("POST", s.URL("/mcp"), options...)
	}
	secret := []byte("demonstration-only-secret-of-32-bytes-or-more")
	sign := func(audience string) string {
		return harness.Sign(t, "HS256", secret, nil, harness.Claims{"aud": audience, "scope": "mcp:use"})
	}
	token := sign("https://mcp.example.com/mcp")
	for origin, want := range map[string]int{
		"https://mcp.example.com": 200, "https://desktop.example": 200, "https://inspector.example": 200,
		"https://evil.example": 403, "null": 403, "http://mcp.example.com": 403, "https://desktop.example.evil.example": 403,
	} {
		t.Run("MCP-10: a request from "+origin, func(t *testing.T) {
			if got := post(token, harness.Header("Origin", origin)); got.Status != want {
				t.Errorf("status %d", got.Status)
			}
		})
	}
	t.Run("MCP-10: a foreign origin is refused before a token is looked at, without a challenge", func(t *testing.T) {
		for _, credential := range []string{"", "nonsense", token} {
			post(credential, harness.Header("Origin", "https://evil.example")).Want(403, "access_denied")
		}
	})
	t.Run("MCP-10 CORS-1: a preflight of a known origin passes", func(t *testing.T) {
		got := s.Do("OPTIONS", s.URL("/mcp"), harness.Header("Origin", "https://inspector.example"), harness.Header("Access-Control-Request-Method", "POST"))
		if got.Status != 204 || got.Header.Get("Access-Control-Allow-Origin") != "https://inspector.example" {
			t.Errorf("%d %v", got.Status, got.Header)
		}
	})
	for audience, want := range map[string]int{
		"HTTPS://MCP.Example.com/mcp": 200, "https://mcp.example.com/MCP": 401, "https://mcp.example.com/mcp/": 401, "https://mcp.example.com": 401,
	} {
		t.Run("MCP-12: a token for "+audience, func(t *testing.T) {
			if got := post(sign(audience)); got.Status != want {
				t.Errorf("status %d\n%s", got.Status, got.Body)
			}
		})
	}
	t.Run("MCP-8: without operations a session is read and ended as ever", func(t *testing.T) {
		for method, want := range map[string]int{"GET": 200, "DELETE": 204} {
			s.Do(method, s.URL("/mcp"), harness.Bearer(token)).Want(want, "")
			if got := s.Do(method, s.URL("/mcp"), harness.Header("Mcp-Session-Id", "1")); got.Status != 401 {
				t.Errorf("%s without a token: %d", method, got.Status)
			}
		}
	})
}
