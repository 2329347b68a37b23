package authn_test

import (
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestMeansAudience(t *testing.T) {
	for name, test := range map[string]struct {
		named, gate string
		asURL, want bool
	}{
		"MCP-12: the same":                     {"https://h/mcp", "https://h/mcp", false, true},
		"MCP-12: in capitals":                  {"HTTPS://H.example/mcp", "https://h.example/mcp", true, true},
		"MCP-12: the gate in capitals":         {"https://h.example/mcp", "https://H.example/mcp", true, true},
		"MCP-12: in capitals at another gate":  {"HTTPS://H.example/mcp", "https://h.example/mcp", false, false},
		"MCP-12: a path in capitals":           {"https://h/MCP", "https://h/mcp", true, false},
		"MCP-12: a query in capitals":          {"https://h?A", "https://h?a", true, false},
		"MCP-12: a slash at the end":           {"https://h/mcp/", "https://h/mcp", true, false},
		"MCP-12: a fragment":                   {"https://h/mcp#a", "https://h/mcp", true, false},
		"MCP-12: another host":                 {"https://h.example.evil.example/mcp", "https://h.example/mcp", true, false},
		"MCP-12: what is no URL, in capitals":  {"API", "api", true, false},
		"MCP-6: a gate without an audience":    {"", "", true, false},
		"MCP-6: a gate that is not a resource": {"https://h/mcp", "", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var r authn.Request
			r.SetGate(&authn.Gate{Audience: test.gate, AudienceAsURL: test.asURL})
			if got := r.MeansAudience(test.named); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
