package cors_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// adapt returns the routes of the one site in a Caddyfile.
func adapt(t *testing.T, text string) ([]any, error) {
	t.Helper()
	adapted, warnings, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return nil, err
	}
	for _, warning := range warnings {
		if !strings.Contains(warning.Message, "not formatted") {
			t.Errorf("warning: %v", warning)
		}
	}
	var config struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct{ Routes []any }
			}
		}
	}
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	return config.Apps.HTTP.Servers["srv0"].Routes, nil
}

func TestCaddyfile(t *testing.T) {
	const answer = `, {"handle": [{"handler": "static_response", "status_code": 200}]}]`
	for name, test := range map[string]struct{ directive, routes string }{
		"every line": {
			"auth_cors https://web.example http://localhost:3000 {\ncredentials\nmethods GET POST\nmethods PUT\nheaders Authorization\nexpose X-Request-Id\nmax_age 10m\n}",
			`[{"handle": [{"handler": "auth_cors", "origins": ["https://web.example", "http://localhost:3000"], "credentials": true,
				"methods": ["GET", "POST", "PUT"], "headers": ["Authorization"], "expose": ["X-Request-Id"], "max_age": 600000000000}]}` + answer,
		},
		"any origin": {
			"auth_cors *",
			`[{"handle": [{"handler": "auth_cors", "origins": ["*"]}]}` + answer,
		},
		"any origin with a block": {
			"auth_cors * {\nexpose *\n}",
			`[{"handle": [{"handler": "auth_cors", "origins": ["*"], "expose": ["*"]}]}` + answer,
		},
		"any origin behind a matcher": {
			"auth_cors /api/* *",
			`[{"match": [{"path": ["/api/*"]}], "handle": [{"handler": "auth_cors", "origins": ["*"]}]}` + answer,
		},
		"a wildcard label": {
			"auth_cors https://*.example.com https://[::1]:8443 chrome-extension://abcdef",
			`[{"handle": [{"handler": "auth_cors", "origins": ["https://*.example.com", "https://[::1]:8443", "chrome-extension://abcdef"]}]}` + answer,
		},
		"ahead of redir and behind header": {
			"redir /old /new\nheader X-Site x\nauth_cors https://web.example",
			`[{"handle": [{"handler": "headers", "response": {"set": {"X-Site": ["x"]}}}]},
			  {"handle": [{"handler": "auth_cors", "origins": ["https://web.example"]}]},
			  {"match": [{"path": ["/old"]}], "handle": [{"handler": "static_response", "headers": {"Location": ["/new"]}, "status_code": 302}]}` + answer,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := adapt(t, ":80 {\n"+test.directive+"\nrespond 200\n}\n")
			if err != nil {
				t.Fatal(err)
			}
			var want []any
			if err := json.Unmarshal([]byte(test.routes), &want); err != nil {
				t.Fatal(err)
			}
			// Caddy joins neighbouring routes with equal matchers.
			if join(got) != join(want) {
				t.Errorf("\n got %s\nwant %s", join(got), join(want))
			}
		})
	}
}

// join writes every handler with its matcher on a line of its own.
func join(routes []any) string {
	var lines strings.Builder
	for _, route := range routes {
		matcher, _ := json.Marshal(route.(map[string]any)["match"])
		for _, handler := range route.(map[string]any)["handle"].([]any) {
			text, _ := json.Marshal(handler)
			fmt.Fprintf(&lines, "%s %s\n", matcher, text)
		}
	}
	return lines.String()
}

// refusals are configurations that must not load, in both languages. The
// directive stands on line 2.
var refusals = map[string]struct {
	directive string // Caddyfile
	line      int
	config    string // JSON; empty where it cannot be written
	says      string
}{
	"no origin":                     {"auth_cors", 2, `{}`, "write those whose scripts"},
	"no origin but a matcher":       {"auth_cors /api/*", 2, ``, "write those whose scripts"},
	"an empty block":                {"auth_cors {\n}", 2, `{"origins": []}`, "write those whose scripts"},
	"CORS-7: * with credentials":    {"auth_cors * {\nmax_age 10m\ncredentials\n}", 4, `{"origins": ["*"], "credentials": true}`, "write the origins by name"},
	"* beside an origin":            {"auth_cors https://web.example *", 2, `{"origins": ["https://web.example", "*"]}`, "write * alone"},
	"* before an origin":            {"auth_cors * https://web.example", 2, `{"origins": ["*", "https://web.example"]}`, "write * alone"},
	"CORS-8: null":                  {"auth_cors null", 2, `{"origins": ["null"]}`, "write the origin of your own pages"},
	"no scheme":                     {"auth_cors web.example", 2, `{"origins": ["web.example"]}`, "write scheme://host"},
	"no scheme but a port":          {"auth_cors localhost:3000", 2, `{"origins": ["localhost:3000"]}`, "write scheme://host"},
	"no host":                       {"auth_cors https://", 2, `{"origins": ["https://"]}`, "write scheme://host"},
	"a file":                        {"auth_cors file:///", 2, `{"origins": ["file:///"]}`, "write scheme://host"},
	"empty":                         {`auth_cors ""`, 2, `{"origins": [""]}`, "write scheme://host"},
	"a trailing slash":              {"auth_cors https://web.example/", 2, `{"origins": ["https://web.example/"]}`, "write https://web.example"},
	"a path":                        {"auth_cors https://web.example/app", 2, `{"origins": ["https://web.example/app"]}`, "write https://web.example"},
	"a query":                       {"auth_cors https://web.example?a", 2, `{"origins": ["https://web.example?a"]}`, "write https://web.example"},
	"a user":                        {"auth_cors https://a@web.example", 2, `{"origins": ["https://a@web.example"]}`, "write https://web.example"},
	"upper case":                    {"auth_cors HTTPS://Web.example", 2, `{"origins": ["HTTPS://Web.example"]}`, "write https://web.example"},
	"the default port":              {"auth_cors https://web.example:443", 2, `{"origins": ["https://web.example:443"]}`, "write https://web.example"},
	"a port too high":               {"auth_cors https://web.example:65536", 2, `{"origins": ["https://web.example:65536"]}`, "write one up to 65535"},
	"any port":                      {"auth_cors https://web.example:*", 2, `{"origins": ["https://web.example:*"]}`, "write scheme://host"},
	"an empty label":                {"auth_cors https://web..example", 2, `{"origins": ["https://web..example"]}`, "write letters, digits"},
	"another script":                {"auth_cors https://münchen.example", 2, `{"origins": ["https://münchen.example"]}`, "xn-- form"},
	"half an address":               {"auth_cors https://[::1%25lo]", 2, `{"origins": ["https://[::1%25lo]"]}`, "[::1]"},
	"a long address":                {"auth_cors https://[0:0::1]", 2, `{"origins": ["https://[0:0::1]"]}`, "write https://[::1]"},
	"any host":                      {"auth_cors https://*", 2, `{"origins": ["https://*"]}`, "https://*.example.com"},
	"a top-level domain":            {"auth_cors https://*.com", 2, `{"origins": ["https://*.com"]}`, "write the domain that is yours"},
	"two wildcards":                 {"auth_cors https://*.*.example.com", 2, `{"origins": ["https://*.*.example.com"]}`, "https://*.example.com"},
	"half a label":                  {"auth_cors https://app-*.example.com", 2, `{"origins": ["https://app-*.example.com"]}`, "https://*.example.com"},
	"a label in the middle":         {"auth_cors https://app.*.com", 2, `{"origins": ["https://app.*.com"]}`, "https://*.example.com"},
	"a placeholder":                 {"auth_cors {env.WEB}", 2, `{"origins": ["{env.WEB}"]}`, "write the origin itself"},
	"an unknown line":               {"auth_cors https://web.example {\nallow_all\n}", 3, `{"origins": ["https://web.example"], "allow_all": true}`, "allow_all"},
	"credentials twice":             {"auth_cors https://web.example {\ncredentials\ncredentials\n}", 4, ``, "duplicate credentials"},
	"credentials with a value":      {"auth_cors https://web.example {\ncredentials off\n}", 3, ``, "takes no value"},
	"max_age twice":                 {"auth_cors https://web.example {\nmax_age 1m\nmax_age 2m\n}", 4, ``, "duplicate max_age"},
	"max_age without a value":       {"auth_cors https://web.example {\nmax_age\n}", 3, ``, "wrong argument count"},
	"max_age without a unit":        {"auth_cors https://web.example {\nmax_age 600\n}", 3, `{"origins": ["https://web.example"], "max_age": 600}`, "write for example"},
	"a negative max_age":            {"auth_cors https://web.example {\nmax_age -1m\n}", 3, `{"origins": ["https://web.example"], "max_age": "-1m"}`, "write for example"},
	"half a second":                 {"auth_cors https://web.example {\nmax_age 500ms\n}", 3, `{"origins": ["https://web.example"], "max_age": "500ms"}`, "write for example 10m"},
	"no methods":                    {"auth_cors https://web.example {\nmethods\n}", 3, ``, "at least one value"},
	"any method":                    {"auth_cors https://web.example {\nmethods *\n}", 3, `{"origins": ["https://web.example"], "methods": ["*"]}`, "write the methods by name"},
	"a method in lower case":        {"auth_cors https://web.example {\nmethods patch\n}", 3, `{"origins": ["https://web.example"], "methods": ["patch"]}`, "write PATCH"},
	"methods with commas":           {"auth_cors https://web.example {\nmethods GET, POST\n}", 3, "", "ends in a comma"},
	"methods in one":                {"auth_cors https://web.example {\nmethods GET,POST\n}", 3, `{"origins": ["https://web.example"], "methods": ["GET,", "POST"]}`, "write methods such as"},
	"an empty method":               {"auth_cors https://web.example {\nmethods \"\"\n}", 3, `{"origins": ["https://web.example"], "methods": [""]}`, "write "},
	"headers with colons":           {"auth_cors https://web.example {\nheaders X-A:\n}", 3, `{"origins": ["https://web.example"], "headers": ["X-A:"]}`, "write names such as"},
	"exposed fields in one":         {"auth_cors https://web.example {\nexpose \"X-A X-B\"\n}", 3, `{"origins": ["https://web.example"], "expose": ["X-A X-B"]}`, "write names such as"},
	"a break in an exposed field":   {"auth_cors https://web.example {\nexpose `X-A\nX-B`\n}", 3, `{"origins": ["https://web.example"], "expose": ["X-A\r\nX-B"]}`, "write names such as"},
	"CORS-7: expose * with cookies": {"auth_cors https://web.example {\nexpose *\ncredentials\n}", 4, `{"origins": ["https://web.example"], "expose": ["*"], "credentials": true}`, "write the fields by name"},
}

func TestRefusedCaddyfile(t *testing.T) {
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			_, err := adapt(t, ":80 {\n"+test.directive+"\nrespond 200\n}\n")
			if err == nil {
				t.Fatal("not refused")
			}
			if where := fmt.Sprintf("at Caddyfile:%d", test.line); !strings.HasSuffix(err.Error(), where) {
				t.Errorf("%v: not %s", err, where)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v: does not say %q", err, test.says)
			}
		})
	}
}

func TestRefusedJSON(t *testing.T) {
	ctx := provision(t, withoutApp)
	for name, test := range refusals {
		if test.config == "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			_, err := ctx.LoadModuleByID("http.handlers.auth_cors", json.RawMessage(test.config))
			if err == nil {
				t.Fatal("not refused")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v: does not say %q", err, test.says)
			}
		})
	}
}
