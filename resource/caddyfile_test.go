package resource_test

import (
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/resource"
)

// read reads a block as in a gate, and returns the token behind it.
func read(text string) (r resource.Resource, next string, err error) {
	d := caddyfile.NewTestDispenser("require_auth {\n" + text + "\nscope behind\n}")
	d.Next()
	d.NextBlock(0)
	if err = r.ReadBlock(d); err == nil && d.NextBlock(0) {
		next = d.Val()
	}
	return r, next, err
}

func TestReadBlock(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want resource.Resource
	}{
		"the word alone":  {"protected_resource", resource.Resource{}},
		"an empty block":  {"protected_resource {\n}", resource.Resource{}},
		"a URL":           {"protected_resource https://h/mcp", resource.Resource{URL: "https://h/mcp"}},
		"a block, no URL": {"protected_resource {\nname x\n}", resource.Resource{Name: "x"}},
		"every line": {
			"protected_resource https://h/mcp {\nname \"The API\"\ndocumentation https://h/docs\npolicy_uri https://h/policy\ntos_uri https://h/terms\n" +
				"authorization_server https://b.example https://a.example\nauthorization_server https://c.example\nscope read write\nscope admin\n}",
			resource.Resource{
				URL: "https://h/mcp", Name: "The API", Documentation: "https://h/docs", PolicyURI: "https://h/policy", TermsURI: "https://h/terms",
				AuthorizationServers: []string{"https://b.example", "https://a.example", "https://c.example"}, Scopes: []string{"read", "write", "admin"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, next, err := read(test.text)
			if err != nil || next != "scope" || string(caddyconfig.JSON(got, nil)) != string(caddyconfig.JSON(test.want, nil)) {
				t.Errorf("got %+v, then %q, %v", got, next, err)
			}
		})
	}
	for name, test := range map[string]struct {
		text, line, says string
	}{
		"R9728-3: a bad URL":          {"protected_resource http://h/mcp", ":2", "this machine only"},
		"an empty URL":                {`protected_resource ""`, ":2", "write for example"},
		"two URLs":                    {"protected_resource https://h/a https://h/b", ":2", "argument"},
		"an unknown line":             {"protected_resource {\nscopes read\n}", ":3", "write one of authorization_server, authorization_server_facade, documentation, name, policy_uri, scope, tos_uri"},
		"a line without an argument":  {"protected_resource {\nname\n}", ":3", "exactly one value"},
		"a line twice":                {"protected_resource {\nname a\nname b\n}", ":4", "duplicate name"},
		"R9728-8: a bad issuer":       {"protected_resource {\nscope read\nauthorization_server idp.example\n}", ":4", "authorization_server: the URL must begin"},
		"R9728-8: a bad page":         {"protected_resource {\ntos_uri terms\n}", ":3", "tos_uri: write the URL"},
		"R9728-8: a scope with quote": {"protected_resource {\nscope a \"b c\"\n}", ":3", "invalid scope"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := read(test.text)
			if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), test.line) {
				t.Errorf("got %v", err)
			}
		})
	}
}
