package resource_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/resource"
)

func TestLocations(t *testing.T) {
	const (
		h    = "https://api.example.com"
		root = resource.WellKnown
	)
	ctx := provision(t, `{}`)
	for name, test := range map[string]struct {
		resources []string
		// places maps request targets to the resource described there, to ""
		// for 404 and to "next" for requests that go on.
		places map[string]string
	}{
		"R9728-1: a host": {[]string{h}, map[string]string{root: h}},
		"R9728-1: a host and a slash": {
			[]string{h + "/"}, map[string]string{root: h + "/", root + "/": h + "/"},
		},
		"R9728-1: a path": {[]string{h + "/mcp"}, map[string]string{root + "/mcp": h + "/mcp"}},
		"R9728-1: a slash at the end of a path stays": {
			[]string{h + "/p", h + "/p/"}, map[string]string{root + "/p": h + "/p", root + "/p/": h + "/p/"},
		},
		"R9728-1: a query is kept": {
			[]string{h + "/p?t=1", h + "/"},
			map[string]string{root + "/p?t=1": h + "/p?t=1", root + "/p?t=2": "", root + "/p": "", root: h + "/"},
		},
		"R9728-1: a query that the resource has not is no other place": {
			[]string{h + "/p"}, map[string]string{root + "/p?t=1": h + "/p"},
		},
		"AMB-15: a slash more or less at the end": {
			[]string{h + "/p", h + "/q/"},
			map[string]string{root + "/p/": h + "/p", root + "/q": h + "/q/", root + "/p//": ""},
		},
		"MCP-2: at the root too where there is one resource": {
			[]string{h + "/mcp"}, map[string]string{root: h + "/mcp", root + "/": h + "/mcp"},
		},
		"MCP-2: at the root too where the one has a query": {
			[]string{h + "?t=1"}, map[string]string{root: h + "?t=1", root + "?t=1": h + "?t=1"},
		},
		"R9728-5: not at the root where there are several": {
			[]string{h + "/a", h + "/b"}, map[string]string{root: "", root + "/": "", root + "/a": h + "/a", root + "/b": h + "/b"},
		},
		"R9728-5: unknown paths": {
			[]string{h + "/mcp"},
			map[string]string{
				root + "/other": "", root + "/mcp/x": "", root + "/mc": "", root + "/MCP": "", root + "//mcp": "",
				root + "/x/../mcp": "", root + "/": h + "/mcp",
			},
		},
		"R9728-5: an escaped slash is not a slash": {
			[]string{h + "/a/b", h + "/c%2Fd"},
			map[string]string{root + "/a%2Fb": "", root + "/c/d": "", root + "/c%2fd": h + "/c%2Fd", root + "%2Fa/b": "next"},
		},
		"R9728-1: one character in two spellings is one": {
			[]string{h + "/%C3%A9~a@b"}, map[string]string{root + "/%c3%a9%7Ea%40b": h + "/%C3%A9~a@b"},
		},
		"other paths go on": {
			[]string{h + "/mcp"},
			map[string]string{
				"/": "next", "/mcp": "next", "/.well-known": "next", root + "x": "next", "/x" + root: "next",
				"/.Well-Known/oauth-protected-resource/mcp": "next", "/.well-known/oauth-authorization-server": "next", "/" + root: "next",
			},
		},
		"R9728-7: the host of the request is nothing": {
			[]string{h + "/mcp"}, map[string]string{"http://evil.example:8080" + root + "/mcp": h + "/mcp"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			handler := load(t, ctx, list(test.resources...))
			for target, want := range test.places {
				response := send(t, handler, "GET", target, http.Header{"X-Forwarded-Host": {"evil.example"}})
				switch {
				case want == "" && response.StatusCode == http.StatusNotFound:
				case want == "next" && response.StatusCode == wentOn:
					if origin := response.Header.Get("Access-Control-Allow-Origin"); origin != "" {
						t.Errorf("%s: readable from %s", target, origin)
					}
				case response.StatusCode != http.StatusOK:
					t.Errorf("%s: got %d, want %q", target, response.StatusCode, want)
				default:
					if got := body(t, response)["resource"]; got != want {
						t.Errorf("%s: got %q, want %q", target, got, want)
					}
				}
			}
		})
	}
}

func TestRefused(t *testing.T) {
	ctx := provision(t, `{}`)
	for name, test := range map[string]struct{ resources, says string }{
		"no resource":                              {`[]`, "without a resource"},
		"no resource at all":                       {`null`, "without a resource"},
		"R9728-3: one of two is bad":               {list("https://h/a", "ftp://h/b"), "resource 2: the protected resource: the URL must begin with https://"},
		"R9728-5: the same twice":                  {list("https://h/a", "https://h/a"), "same path"},
		"R9728-5: two hosts, one path":             {list("https://h/a", "https://g/a"), "https://h/a and https://g/a"},
		"R9728-5: two queries, one path":           {list("https://h/a?t=1", "https://h/a?t=2"), "same path"},
		"R9728-5: two spellings, one path":         {list("https://h/~a", "https://h/%7Ea"), "same path"},
		"R9728-5: a host with and without a slash": {list("https://h", "https://h/"), "same path"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ctx.LoadModuleByID("http.handlers.protected_resource", json.RawMessage(`{"resources": `+test.resources+`}`))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
