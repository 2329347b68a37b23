//go:build realparts

package realparts

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// facadeSite is mcpSite with a provider that registers no clients.
func facadeSite(t *testing.T) *harness.Server {
	t.Helper()
	p := newProvider(t)
	s := siteWithFacade(t, p.issuer, "client_secret facade-secret-of-some-length")
	p.start("CALLBACK=" + s.URL("/.well-known/auth/oauth/callback/tools"))
	return s
}

// siteWithFacade has tools behind a facade before an issuer. The lines are those of the
// facade.
func siteWithFacade(t *testing.T, issuer, lines string) *harness.Server {
	t.Helper()
	port := freePort(t)
	run(t, "mcp-server.mjs", "PORT="+port)
	return harness.Start(t, `
http://localhost:8080 {
	require_auth /tools {
		bearer corp {
			issuer `+issuer+`
			audience `+api+`
		}
		protected_resource http://localhost:8080/tools {
			authorization_server_facade corp {
				client_id facade
				drop resource
				`+lines+`
			}
		}
		scope mcp:use
		mcp {
			tool delete_* mcp:delete
			inspect 1MiB
		}
		strip_credentials
	}
	reverse_proxy 127.0.0.1:`+port+`
}
`)
}

func TestFacade(t *testing.T) {
	s := facadeSite(t)
	for name, release := range map[string]string{"2025-11-25": "v1", "2026-07-28": "v2"} {
		t.Run("FACADE-1 FACADE-7 MCP-4: the TypeScript SDK through a facade, revision "+name, func(t *testing.T) {
			var got story
			script(t, &got, "mcp-client.mjs", release, s.URL("/tools"), s.URL("/tools"))
			got.check(t, 1)
		})
	}
	t.Run("FACADE-1 FACADE-7 MCP-4: the Go SDK through a facade", func(t *testing.T) { goClient(t, s) })
}

// publicClient runs a public client with nothing kept of earlier runs, and with a
// browser that agrees to everything. wider says whether it can call the tool that needs
// more scope.
func publicClient(t *testing.T, s *harness.Server, name, path string, wider bool) {
	t.Helper()
	before := len(s.Decisions())
	home := t.TempDir()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	browser := filepath.Join(home, "xdg-open")
	if err := os.WriteFile(browser, []byte("#!/bin/sh\nexec node "+folder+"/open.mjs \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("node", "public-client.mjs", name, s.URL(path))
	command.Env = append(os.Environ(), "HOME="+home, "MCP_AUTO_OPEN_ENABLED=true", "BROWSER="+browser, "PATH="+home+":"+os.Getenv("PATH"), "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	var got struct {
		Tools []string
		Call  string
		Wider string
	}
	if err == nil {
		err = json.Unmarshal(output, &got)
	}
	if err != nil || !slices.Equal(got.Tools, []string{"delete_file", "read_file"}) || got.Call != "read_file /a" {
		t.Errorf("%v\n%s\n%s", err, output, stderr.String())
	}
	if (got.Wider == "delete_file /a") != wider {
		t.Errorf("with more scope: %s", got.Wider)
	}
	if decisions := s.Decisions()[before:]; len(decisions) == 0 || decisions[0]["code"] != "missing_credentials" {
		t.Errorf("it did not begin with a 401: %v", decisions)
	}
}

func TestPublicClients(t *testing.T) {
	for site, c := range map[string]struct {
		start func(*testing.T) *harness.Server
		path  string
		rules bool // one tool needs more scope
	}{"registration": {mcpSite, "/mcp", false}, "a facade": {facadeSite, "/tools", true}} {
		t.Run(site, func(t *testing.T) {
			s := c.start(t)
			for name, module := range map[string]string{"mcp-remote": "mcp-remote", "mcporter": "mcporter", "inspector": "@modelcontextprotocol/inspector", "ai-sdk": "@ai-sdk/mcp"} {
				t.Run("MCP-1 MCP-2 MCP-4 CLI-1: from a bare 401 to a tool with "+name, func(t *testing.T) {
					publicClient(t, s, name, c.path, !c.rules || stepsUp[module])
				})
			}
		})
	}
}
