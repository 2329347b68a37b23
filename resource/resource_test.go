package resource_test

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/resource"
)

func TestMetadataURL(t *testing.T) {
	for name, test := range map[string]struct{ url, want, path string }{
		"R9728-1: a host":                   {"https://h", "https://h/.well-known/oauth-protected-resource", ""},
		"R9728-1: a host and a slash":       {"https://h/", "https://h/.well-known/oauth-protected-resource", ""},
		"R9728-1: a path":                   {"https://h/p", "https://h/.well-known/oauth-protected-resource/p", "/p"},
		"R9728-1: a path and a slash":       {"https://h/p/", "https://h/.well-known/oauth-protected-resource/p/", "/p/"},
		"R9728-1: two slashes":              {"https://h//p", "https://h/.well-known/oauth-protected-resource//p", "//p"},
		"R9728-1: a path and a query":       {"https://h/p?a=/b?c", "https://h/.well-known/oauth-protected-resource/p?a=/b?c", "/p"},
		"R9728-1: a query":                  {"https://h?a=b", "https://h/.well-known/oauth-protected-resource?a=b", ""},
		"R9728-1: a slash and a query":      {"https://h/?a=b", "https://h/.well-known/oauth-protected-resource?a=b", ""},
		"R9728-1: letter by letter":         {"https://API.h:443/%7eP%2f", "https://API.h:443/.well-known/oauth-protected-resource/%7eP%2f", "/%7eP%2f"},
		"R9728-1: an IPv6 address":          {"http://[::1]:8080/p", "http://[::1]:8080/.well-known/oauth-protected-resource/p", "/p"},
		"R9728-1: what is no URL, no panic": {"", ":///.well-known/oauth-protected-resource", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := resource.Resource{URL: test.url}
			if got := r.MetadataURL(); got != test.want {
				t.Errorf("URL: got %q, want %q", got, test.want)
			}
			if got := r.MetadataPath(); got != resource.WellKnown+test.path {
				t.Errorf("path: got %q, want %q", got, test.path)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		url  string
		says string // empty: accepted
	}{
		"R9728-3: https":                     {"https://api.example.com/mcp", ""},
		"R9728-3: port, path and query":      {"https://api.example.com:8443/a%20b/c;d?e=f", ""},
		"R9728-3: http for localhost":        {"http://localhost:8080/mcp", ""},
		"R9728-3: http for a loopback IPv4":  {"http://127.0.0.2/mcp", ""},
		"R9728-3: http for a loopback IPv6":  {"http://[::1]:8080", ""},
		"R9728-3: http for any other host":   {"http://api.example.com/mcp", "this machine only"},
		"R9728-3: http for a look-alike":     {"http://localhost.example.com", "this machine only"},
		"R9728-3: empty":                     {"", "write for example"},
		"R9728-3: no scheme":                 {"api.example.com/mcp", "begin with https://"},
		"R9728-3: a path alone":              {"/mcp", "begin with https://"},
		"R9728-3: another scheme":            {"ftp://h/", "begin with https://"},
		"R9728-3: no host":                   {"https:///mcp", "no host"},
		"R9728-3: a fragment":                {"https://h/mcp#x", "fragment"},
		"R9728-3: an empty fragment":         {"https://h/mcp#", "fragment"},
		"R9728-3: user information":          {"https://user:secret@h/mcp", "user name"},
		"R9728-3: a space":                   {"https://h/a secret", "invalid character ' '"},
		"R9728-3: a quote":                   {`https://h/a"secret`, "invalid character"},
		"R9728-3: a line break":              {"https://h/a\nsecret", "invalid character"},
		"R9728-3: not ASCII":                 {"https://h/é", "percent-encoded"},
		"R9728-3: a bad escape":              {"https://h/%zz", "not a URL"},
		"R9728-7: a placeholder for a host":  {"https://{http.request.host}/mcp", "placeholder"},
		"R9728-1: a segment that is dropped": {"https://h/a/../b", "without it"},
		"R9728-1: the same, escaped":         {"https://h/%2e/b", "without it"},
	} {
		t.Run(name, func(t *testing.T) {
			r := resource.Resource{URL: test.url}
			err := r.Check()
			switch {
			case test.says == "" && err != nil:
				t.Error(err)
			case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)):
				t.Errorf("got %v, want %q", err, test.says)
			case err != nil && strings.Contains(err.Error(), "secret"):
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
	for name, r := range map[string]resource.Resource{
		"R9728-8: an issuer over http":        {AuthorizationServers: []string{"https://a.example", "http://b.example"}},
		"R9728-8: an issuer with a query":     {AuthorizationServers: []string{"https://a.example?x"}},
		"R9728-8: an issuer with a space":     {AuthorizationServers: []string{"https://a.example/ b"}},
		"R9728-8: an empty scope":             {Scopes: []string{"a", ""}},
		"R9728-8: two scopes in one":          {Scopes: []string{"a b"}},
		"R9728-8: a scope with a quote":       {Scopes: []string{`a"`}},
		"R9728-8: documentation, no URL":      {Documentation: "docs"},
		"R9728-8: a policy with a script":     {PolicyURI: "javascript:alert(1)"},
		"R9728-8: terms with a password":      {TermsURI: "https://user:secret@h/terms"},
		"R9728-8: terms with a placeholder":   {TermsURI: "https://{env.HOST}/terms"},
		"R9728-8: documentation without host": {Documentation: "https:///docs"},
	} {
		t.Run(name, func(t *testing.T) {
			r.URL = "https://h/mcp"
			if err := r.Check(); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}
