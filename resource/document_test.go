package resource_test

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/resource"
)

// A resource and its gates with everything there is.
const (
	everything = `[{"resource": "https://api.example.com/mcp?a=1&b=2", "name": "Example <API>", "documentation": "https://api.example.com/docs",
		"policy_uri": "https://api.example.com/policy", "tos_uri": "https://api.example.com/terms"}]`
	facts = `{"auth": {"resources": {"https://api.example.com/mcp?a=1&b=2": {
		"AuthorizationServers": ["https://z.example", "https://a.example/", "https://z.example"],
		"Scopes": ["write", "offline_access", "read", "write"], "BearerMethods": ["query", "header"],
		"DPoPAlgorithms": ["RS256", "ES256"], "DPoPRequired": true, "CertificateBound": true}}}}`
)

func TestMembers(t *testing.T) {
	for name, test := range map[string]struct{ apps, resources, want string }{
		"R9728-8: every member": {facts, everything, `{
			"resource": "https://api.example.com/mcp?a=1&b=2",
			"resource_name": "Example <API>",
			"resource_documentation": "https://api.example.com/docs",
			"resource_policy_uri": "https://api.example.com/policy",
			"resource_tos_uri": "https://api.example.com/terms",
			"authorization_servers": ["https://a.example/", "https://z.example"],
			"scopes_supported": ["read", "write"],
			"bearer_methods_supported": ["header", "query"],
			"dpop_signing_alg_values_supported": ["ES256", "RS256"],
			"dpop_bound_access_tokens_required": true,
			"tls_client_certificate_bound_access_tokens": true}`},
		"R9728-9: nothing empty, without the app": {
			`{}`, list("https://api.example.com/mcp"), `{"resource": "https://api.example.com/mcp"}`,
		},
		"R9728-9: nothing empty, for a resource that no gate has": {
			facts, list("https://api.example.com/mcp"), `{"resource": "https://api.example.com/mcp"}`,
		},
		"R9728-9: nothing empty, for a gate that says nothing": {
			`{"auth": {"resources": {"https://api.example.com/mcp": {"Scopes": [], "BearerMethods": []}}}}`,
			list("https://api.example.com/mcp"), `{"resource": "https://api.example.com/mcp"}`,
		},
		"R9728-8: what is configured comes before what is computed": {
			facts,
			`[{"resource": "https://api.example.com/mcp?a=1&b=2", "authorization_servers": ["https://second.example", "https://first.example", "https://second.example"], "scopes": ["b", "a", "b"]}]`,
			`{"resource": "https://api.example.com/mcp?a=1&b=2",
			"authorization_servers": ["https://second.example", "https://first.example"],
			"scopes_supported": ["a", "b"],
			"bearer_methods_supported": ["header", "query"],
			"dpop_signing_alg_values_supported": ["ES256", "RS256"],
			"dpop_bound_access_tokens_required": true,
			"tls_client_certificate_bound_access_tokens": true}`,
		},
		"MCP-3: offline_access is left out, and a list of nothing else too": {
			`{}`, `[{"resource": "https://api.example.com", "scopes": ["offline_access"]}]`, `{"resource": "https://api.example.com"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var resources []resource.Resource
			if err := json.Unmarshal([]byte(test.resources), &resources); err != nil {
				t.Fatal(err)
			}
			handler := load(t, provision(t, test.apps), test.resources)
			var want map[string]any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if got := body(t, send(t, handler, "GET", resources[0].MetadataURL(), nil)); !reflect.DeepEqual(got, want) {
				t.Errorf("\n got %v\nwant %v", got, want)
			}
		})
	}
	t.Run("R9728-3: nothing is escaped that need not be", func(t *testing.T) {
		response := send(t, load(t, provision(t, facts), everything), "GET", resource.WellKnown+"/mcp?a=1&b=2", nil)
		if raw, _ := io.ReadAll(response.Body); !strings.HasPrefix(string(raw), `{"resource":"https://api.example.com/mcp?a=1&b=2","resource_name":"Example <API>",`) {
			t.Errorf("got %s", raw)
		}
	})
	t.Run("R9728-8: an app that a gate creates later is asked", func(t *testing.T) {
		ctx := provision(t, `{}`)
		handler := load(t, ctx, list("https://api.example.com/mcp"))
		app, err := ctx.App("auth")
		if err != nil {
			t.Fatal(err)
		}
		app.(*auth).Known = map[string]resource.Facts{"https://api.example.com/mcp": {Scopes: []string{"read"}}}
		if got := body(t, send(t, handler, "GET", resource.WellKnown, nil))["scopes_supported"]; !reflect.DeepEqual(got, []any{"read"}) {
			t.Errorf("got %v", got)
		}
	})
}

func TestWarning(t *testing.T) {
	t.Run("MCP-1: a resource without an authorization server is served, and warned of once", func(t *testing.T) {
		lines := warnings(t, list("https://h/a", "https://h/b"), "/a", "/a", "/b", "/a/")
		if len(lines) != 2 || !strings.Contains(lines[0], "https://h/a") || !strings.Contains(lines[1], "https://h/b") {
			t.Errorf("got %q", lines)
		}
	})
	t.Run("MCP-1: no warning with one", func(t *testing.T) {
		if lines := warnings(t, `[{"resource": "https://h/a", "authorization_servers": ["https://idp.example"]}]`, "/a", "/a"); len(lines) != 0 {
			t.Errorf("got %q", lines)
		}
	})
}
