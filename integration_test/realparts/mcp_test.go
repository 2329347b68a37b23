//go:build realparts

package realparts

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// mcpSite is an MCP server behind gates. Clients of revisions without
// Mcp-Method have the tool that needs more scope at a place of its own.
func mcpSite(t *testing.T) *harness.Server {
	t.Helper()
	p := newProvider(t)
	port := freePort(t)
	run(t, "mcp-server.mjs", "PORT="+port)
	s := harness.Start(t, `
{
	auth {
		bearer corp {
			issuer `+p.issuer+`
			audience http://localhost:8080/unused
		}
	}
}
http://localhost:8080 {
	require_auth /mcp corp {
		protected_resource http://localhost:8080/mcp
		scope mcp:use
		strip_credentials
	}
	require_auth /mcp/wider corp {
		protected_resource http://localhost:8080/mcp
		scope mcp:use mcp:delete
		strip_credentials
	}
	require_auth /tools corp {
		protected_resource http://localhost:8080/tools
		scope mcp:use
		mcp {
			tool delete_* mcp:delete
		}
		strip_credentials
	}
	reverse_proxy 127.0.0.1:`+port+`
}
`)
	p.start("RESOURCE=" + s.URL("/mcp"))
	return s
}

// story is what a client prints.
type story struct {
	Exchanges []struct {
		Method string `json:"method"`
		Name   string `json:"name"`
		Status int    `json:"status"`
	} `json:"exchanges"`
	Registrations int      `json:"registrations"`
	Scopes        []string `json:"scopes"`
	Tools         []string `json:"tools"`
	Calls         []string `json:"calls"`
}

// check holds what every client has to have seen: a bare 401, registrations,
// tools, a call, a 403, more scope, the other call.
func (s story) check(t *testing.T, registrations int) {
	t.Helper()
	if len(s.Exchanges) == 0 || s.Exchanges[0].Status != 401 {
		t.Fatalf("it began with %+v", s.Exchanges)
	}
	if s.Registrations != registrations {
		t.Errorf("%d registrations", s.Registrations)
	}
	if !slices.Equal(s.Tools, []string{"delete_file", "read_file"}) {
		t.Errorf("tools %q", s.Tools)
	}
	if !slices.Equal(s.Calls, []string{"read_file /a", "delete_file /a"}) {
		t.Errorf("calls %q", s.Calls)
	}
	var denied bool
	for _, e := range s.Exchanges {
		denied = denied || e.Status == 403
	}
	if !denied {
		t.Errorf("nothing was denied: %+v", s.Exchanges)
	}
	if len(s.Scopes) != 2 || strings.Contains(s.Scopes[0], "delete") || !strings.Contains(s.Scopes[1], "mcp:delete") || !strings.Contains(s.Scopes[1], "mcp:use") {
		t.Errorf("scopes %q", s.Scopes)
	}
}

func TestModelContextProtocol(t *testing.T) {
	s := mcpSite(t)
	t.Run("MCP-1 MCP-2 MCP-3 MCP-4 CLI-1: the TypeScript SDK, revision 2025-11-25", func(t *testing.T) {
		var got story
		script(t, &got, "mcp-client.mjs", "v1", s.URL("/mcp"), s.URL("/mcp/wider"))
		got.check(t, 1)
	})
	t.Run("MCP-1 MCP-4 MCP-11: the TypeScript SDK, revision 2026-07-28, with more scope for one tool", func(t *testing.T) {
		var got story
		script(t, &got, "mcp-client.mjs", "v2", s.URL("/tools"), s.URL("/tools"))
		got.check(t, 1)
		for _, e := range got.Exchanges {
			if e.Status == 403 && e.Name != "delete_file" {
				t.Errorf("%q was denied", e.Name)
			}
		}
	})
	t.Run("MCP-1 MCP-2 MCP-4 MCP-11 CLI-2: the Go SDK", func(t *testing.T) {
		goClient(t, s)
	})
}

// goClient runs the client of the Go SDK. It registers again for more scope.
func goClient(t *testing.T, s *harness.Server) {
	t.Helper()
	client := exec.Command(built(t, "gosdk"), s.URL("/tools"))
	var stderr strings.Builder
	client.Stderr = &stderr
	output, err := client.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, output, stderr.String())
	}
	var got story
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	got.check(t, 2)
}
