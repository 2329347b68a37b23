package resourceserver

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

func init() { keyset.SetFirstWait(time.Second) }

const metadata = `
{
	auth {
		realm api
		bearer corp {` + harness.BearerLines + `
			dpop optional
		}
		basic ops {
			user bob $2a$04$jwM5lZ8LESgzCHsJHpHRpunP4FSTjydsHuTGg6M5dqvoYgczgCBpu
		}
	}
}
http://localhost:8080 {
	auth_cors https://web.example {
		credentials
	}
	require_auth /mcp* corp {
		protected_resource https://api.example.com/mcp {
			name "Tools"
		}
		scope tools:read
	}
	require_auth /files* corp ops {
		protected_resource https://api.example.com/files
		any_scope files:read files:write
	}
	require_auth /plain corp
	respond ok
}
http://localhost:8081 {
	require_auth corp {
		protected_resource https://single.example.com/mcp
	}
	respond ok
}
`

const (
	bearerMCP = `realm="api", scope="tools:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"`
	dpopMCP   = `realm="api", scope="tools:read", algs="ES256 ES384 ES512 EdDSA Ed25519 RS256 PS256", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"`
)

func TestMetadata(t *testing.T) {
	s := harness.Start(t, metadata)
	t.Run("R9728-6 MCP-2: each OAuth challenge names the metadata", func(t *testing.T) {
		s.Get("/mcp").Want(401, "missing_credentials", "Bearer "+bearerMCP, "DPoP "+dpopMCP)
		const files = `realm="api", scope="files:read"`
		const where = `resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/files"`
		s.Get("/files").Want(401, "missing_credentials", "Bearer "+files+", "+where,
			"DPoP "+files+`, algs="ES256 ES384 ES512 EdDSA Ed25519 RS256 PS256", `+where, `Basic realm="api", charset="UTF-8"`)
	})
	t.Run("MCP-4: too little scope is 403 with scope and metadata", func(t *testing.T) {
		s.Get("/mcp", harness.Bearer(harness.Token(t))).Want(403, "insufficient_scope",
			`Bearer realm="api", error="insufficient_scope", scope="tools:read", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp", error_description="The access token lacks a required scope"`)
	})
	t.Run("R9728-2 R9728-8 MCP-1: the document", func(t *testing.T) {
		answer := s.Get("/.well-known/oauth-protected-resource/mcp")
		var got map[string]any
		if err := json.Unmarshal([]byte(answer.Body), &got); err != nil || answer.Status != 200 {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		want := map[string]any{
			"resource":                 "https://api.example.com/mcp",
			"resource_name":            "Tools",
			"authorization_servers":    []any{harness.Issuer},
			"scopes_supported":         []any{"tools:read"},
			"bearer_methods_supported": []any{"header"},
			"dpop_signing_alg_values_supported": []any{
				"ES256", "ES384", "ES512", "Ed25519", "EdDSA", "PS256", "RS256"},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %s", answer.Body)
		}
	})
	t.Run("CORS-10: scripts of any origin may read it, whatever auth_cors says", func(t *testing.T) {
		for _, method := range []string{http.MethodGet, http.MethodOptions} {
			answer := s.Do(method, s.URL("/.well-known/oauth-protected-resource/files"), harness.Header("Origin", "https://other.example"),
				harness.Header("Access-Control-Request-Method", "GET"), harness.Header("Access-Control-Request-Headers", "mcp-protocol-version"))
			if got := answer.Header["Access-Control-Allow-Origin"]; len(got) != 1 || got[0] != "*" {
				t.Errorf("%s: %q", method, got)
			}
		}
	})
	t.Run("R9728-5: unknown documents are 404, and so is the root of several", func(t *testing.T) {
		for _, path := range []string{"", "/other", "/mcp/x", "/single"} {
			if got := s.Get("/.well-known/oauth-protected-resource" + path).Status; got != 404 {
				t.Errorf("%q: %d", path, got)
			}
		}
	})
	t.Run("MCP-2: one resource stands at the root too, and under a gate for everything", func(t *testing.T) {
		for _, path := range []string{"", "/mcp"} {
			answer := s.Do("GET", s.SecondURL("/.well-known/oauth-protected-resource"+path))
			var got struct{ Resource string }
			if json.Unmarshal([]byte(answer.Body), &got) != nil || got.Resource != "https://single.example.com/mcp" {
				t.Errorf("%q: %d %s", path, answer.Status, answer.Body)
			}
		}
		if got := s.Do("GET", s.SecondURL("/.well-known/other")).Status; got != 401 {
			t.Errorf("beside the documents: %d", got)
		}
	})
	t.Run("MCP-6: the resource is an audience of its own gate only", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"aud": "https://api.example.com/mcp", "scope": "tools:read files:read"})
		s.Get("/mcp", harness.Bearer(token)).Want(200, "")
		for _, path := range []string{"/files", "/plain"} {
			if answer := s.Get(path, harness.Bearer(token)); answer.Status != 401 || answer.Problem().Code != "invalid_token" {
				t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
			}
		}
	})
}

func TestNestedResources(t *testing.T) {
	s := harness.Start(t, `
{
	auth {
		bearer corp {`+harness.BearerLines+`}
	}
}
http://localhost:8080 {
	require_auth /mcp* {
		protected_resource https://api.example.com/mcp
	}
	require_auth /mcp/admin* {
		protected_resource https://api.example.com/mcp
		scope admin
	}
	require_auth /mcp/other* {
		protected_resource https://api.example.com/other
	}
	require_auth /default {
		protected_resource
	}
	respond ok
}`)
	token := harness.Token(t, harness.Claims{"aud": "https://api.example.com/mcp", "scope": "admin"})
	for path, want := range map[string]int{"/mcp": 200, "/mcp/admin": 200, "/mcp/other": 401} {
		if got := s.Get(path, harness.Bearer(token)).Status; got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	s.Get("/default").Want(401, "missing_credentials",
		`Bearer realm="api", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`)
}
