package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/lint"
	"github.com/excorp/caddy-require-auth/internal/routes"
)

// declared are the schemes of the cases below.
const declared = `{
	auth {
		bearer corp {
			issuer   https://idp.example.com
			audience https://api.example.com
			%s
		}
		basic ops {
			users_file users
		}
		api_key keys {
			keys_file keys.json
		}
	}
}
`

// findings are what lint finds in a Caddyfile.
func findings(t *testing.T, caddyfile string) []lint.Finding {
	t.Helper()
	config, err := harness.Adapt(caddyfile)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := routes.Parse(config)
	if err != nil {
		t.Fatal(err)
	}
	return lint.Run(parsed)
}

// TestLint has for each rule what it finds, and what is next to it and fine.
// Rules about open paths are left out where they are not meant.
func TestLint(t *testing.T) {
	for name, c := range map[string]struct{ scheme, site, want string }{
		"a query":            {scheme: "token_from query t", want: "credential-in-query"},
		"a cookie":           {scheme: "token_from cookie t"},
		"an exact minute":    {scheme: "clock_skew 1m"},
		"more than a minute": {scheme: "clock_skew 61s", want: "clock-skew"},
		"ID tokens":          {scheme: "accept_id_tokens", want: "id-tokens"},

		"an answer before the gate":                   {site: "a.example.com {\n route {\n respond /x y\n require_auth corp\n respond z\n }\n}", want: "bypass"},
		"a redirect before the gate":                  {site: "a.example.com {\n route {\n redir /x /y\n require_auth corp\n respond z\n }\n}"},
		"an error before the gate":                    {site: "a.example.com {\n route {\n error /x 404\n respond /y 403\n require_auth corp\n respond z\n }\n}"},
		"an answer to what the gate does not match":   {site: "a.example.com {\n route {\n respond /x y\n require_auth /y/* corp\n respond /y/* z\n }\n}"},
		"an answer in another handle":                 {site: "a.example.com {\n handle /x {\n respond y\n }\n handle {\n require_auth corp\n respond z\n }\n}"},
		"an answer in a handle before a gate for all": {site: "a.example.com {\n route {\n handle /x {\n respond y\n }\n require_auth corp\n respond z\n }\n}", want: "bypass"},
		"an answer on another site":                   {site: "a.example.com {\n respond y\n}\n*.example.com {\n require_auth corp\n respond z\n}"},
		"an answer behind another gate":               {site: "a.example.com {\n route {\n require_auth /x ops\n respond /x y\n require_auth corp\n respond z\n }\n}"},

		"a rewrite past the gate":            {site: "a.example.com {\n rewrite /x/* /y\n require_auth /x/* corp\n respond z\n}", want: "rewrite-before-gate"},
		"a rewrite of everything":            {site: "a.example.com {\n rewrite * /index.php?{path}\n require_auth /x/* corp\n respond z\n}", want: "rewrite-before-gate"},
		"a regular expression past the gate": {site: "a.example.com {\n uri path_regexp ^/v[0-9] /\n require_auth /x/* corp\n respond z\n}", want: "rewrite-before-gate"},
		"a prefix that is stripped first":    {site: "a.example.com {\n uri strip_prefix /v1\n require_auth /x/* corp\n respond z\n}"},
		"a rewrite of what is not guarded":   {site: "a.example.com {\n rewrite /y /z\n require_auth /x/* corp\n respond z\n}"},
		"a rewrite of the query alone":       {site: "a.example.com {\n rewrite * ?a=b\n require_auth /x/* corp\n respond z\n}"},
		"a gate in front of a rewrite":       {site: "a.example.com {\n route {\n require_auth /x/* corp\n rewrite /x/* /y\n respond z\n }\n}"},

		"preflights for an upstream": {site: "a.example.com {\n require_auth /a corp\n require_auth /b ops\n reverse_proxy localhost:9000\n}", want: "preflight-answered"},
		"preflights that go on":      {site: "a.example.com {\n require_auth corp {\n preflight forward\n }\n reverse_proxy localhost:9000\n}", want: "preflight-forward"},

		"a side entrance":           {site: "a.example.com {\n require_auth /x/* corp\n handle_path /v1/* {\n reverse_proxy localhost:9000\n }\n reverse_proxy localhost:9000\n}", want: "rewrite-after-gate"},
		"another upstream":          {site: "a.example.com {\n require_auth /x/* corp\n handle_path /v1/* {\n reverse_proxy localhost:9001\n }\n reverse_proxy localhost:9000\n}"},
		"a guarded side entrance":   {site: "a.example.com {\n require_auth /x/* corp\n require_auth /v1/* corp\n handle_path /v1/* {\n reverse_proxy localhost:9000\n }\n reverse_proxy localhost:9000\n}"},
		"a rewrite in the proxy":    {site: "a.example.com {\n require_auth /x/* corp\n reverse_proxy /y localhost:9000 {\n rewrite /x/secret\n }\n reverse_proxy localhost:9000\n}", want: "rewrite-after-gate"},
		"a rewrite to what is open": {site: "a.example.com {\n require_auth /x/* corp\n reverse_proxy /y localhost:9000 {\n rewrite /z\n }\n reverse_proxy localhost:9000\n}"},

		"files for a denial of Caddy's own gate":     {site: "a.example.com {\n basic_auth {\n bob $2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy\n }\n file_server\n handle_errors {\n file_server\n }\n}", want: "errors-serve-guarded"},
		"files for an intercepted denial":            {site: "a.example.com {\n route {\n intercept {\n @x status 401\n handle_response @x {\n file_server\n }\n }\n require_auth corp\n file_server\n }\n}", want: "errors-serve-guarded"},
		"files for errors of a server that is asked": {site: "a.example.com {\n forward_auth localhost:9001 {\n uri /auth\n }\n file_server\n handle_errors {\n file_server\n }\n}"},
		"proxied pages":                    {site: "a.example.com {\n require_auth corp\n reverse_proxy localhost:9000\n handle_errors {\n rewrite * /{err.status_code}\n reverse_proxy localhost:9000\n }\n}", want: "errors-lose-status"},
		"proxied pages with the status":    {site: "a.example.com {\n require_auth corp\n reverse_proxy localhost:9000\n handle_errors {\n rewrite * /{err.status_code}\n reverse_proxy localhost:9000 {\n replace_status {err.status_code}\n }\n }\n}"},
		"proxied pages copied with it":     {site: "a.example.com {\n require_auth corp\n reverse_proxy localhost:9000\n handle_errors {\n rewrite * /{err.status_code}\n reverse_proxy localhost:9000 {\n @ok status 2xx\n handle_response @ok {\n copy_response {\n status {err.status_code}\n }\n }\n }\n }\n}"},
		"proxied pages copied as they are": {site: "a.example.com {\n require_auth corp\n reverse_proxy localhost:9000\n handle_errors {\n rewrite * /{err.status_code}\n reverse_proxy localhost:9000 {\n @ok status 2xx\n handle_response @ok {\n copy_response\n }\n }\n }\n}", want: "errors-lose-status"},
		"proxied pages that look at it":    {site: "a.example.com {\n require_auth corp\n reverse_proxy localhost:9000\n handle_errors {\n rewrite * /{err.status_code}\n reverse_proxy localhost:9000 {\n @ok header X-A b\n }\n }\n}", want: "errors-lose-status"},
		"errors without a gate":            {site: "a.example.com {\n reverse_proxy localhost:9000\n handle_errors {\n reverse_proxy localhost:9000\n }\n}"},

		"a password on plain http": {site: "http://a.example.com {\n require_auth ops\n respond z\n}", want: "plain-http"},
		"a key on a port":          {site: ":8080 {\n require_auth keys\n respond z\n}", want: "plain-http"},
		"a token on plain http":    {site: "http://a.example.com {\n require_auth corp\n respond z\n}"},
		"a password on loopback":   {site: "http://localhost:8080 {\n require_auth ops\n respond z\n}"},
		"a key on a bound port":    {site: "http://a.example.com {\n bind 127.0.0.1 ::1\n require_auth keys\n respond z\n}"},
		"a password by https":      {site: "a.example.com {\n require_auth ops\n respond z\n}"},

		"a path beside it":         {site: "a.example.com {\n @x path /x /x/*\n require_auth @x corp\n respond z\n}"},
		"the root of a prefix":     {site: "a.example.com {\n require_auth /x/* corp\n respond z\n}", want: "prefix-without-root"},
		"a prefix without a slash": {site: "a.example.com {\n require_auth /x* corp\n respond z\n}"},
		"a root that is not there": {site: "a.example.com {\n require_auth /x/* corp\n respond /x/* z\n respond 404\n}"},

		"a regular expression": {site: "a.example.com {\n @x path_regexp ^/x\n require_auth @x corp\n respond z\n}", want: "path-spelling"},
		"without case":         {site: "a.example.com {\n @x path_regexp (?i)^/x\n require_auth @x corp\n respond z\n}"},
		"an escape":            {site: "a.example.com {\n require_auth /x%2Fy corp\n respond z\n}", want: "path-spelling"},

		"gates by method":                    {site: "a.example.com {\n @r method GET HEAD\n @w method POST PUT\n require_auth @r corp\n require_auth @w corp {\n scope w\n }\n respond z\n}", want: "method-without-gate"},
		"a gate for a method on a path":      {site: "a.example.com {\n @w {\n method POST\n path /x\n }\n require_auth @w corp\n respond z\n}", want: "method-without-gate"},
		"a gate for all but some":            {site: "a.example.com {\n @w not method GET HEAD\n require_auth @w corp\n respond z\n}"},
		"gates by method before one for all": {site: "a.example.com {\n @w method POST\n require_auth @w corp {\n scope w\n }\n require_auth corp\n respond z\n}"},
		"gates by method, others refused":    {site: "a.example.com {\n @r method GET\n require_auth @r corp\n @others not method GET\n respond @others 405\n respond z\n}"},

		"PHP beside a gate":    {site: "a.example.com {\n require_auth /x/* corp\n php_fastcgi localhost:9000\n}", want: "path-info"},
		"PHP behind a gate":    {site: "a.example.com {\n require_auth corp\n php_fastcgi localhost:9000\n}"},
		"PHP and a gate on it": {site: "a.example.com {\n @x path /x/* *.php/*\n require_auth @x corp\n php_fastcgi localhost:9000\n}"},
		"PHP below a prefix":   {site: "a.example.com {\n require_auth /x/* corp\n handle_path /v1/* {\n php_fastcgi localhost:9000\n }\n php_fastcgi localhost:9000\n}", want: "rewrite-after-gate path-info"},

		"a prefix in front of an upstream": {site: "a.example.com {\n require_auth /x/* corp\n reverse_proxy localhost:9000\n}", want: "prefix-with-dots"},
		"a prefix with its root":           {site: "a.example.com {\n @x path /x /x/*\n require_auth @x corp\n reverse_proxy localhost:9000\n}"},
		"a prefix whose root is not there": {site: "a.example.com {\n require_auth /x/* corp\n reverse_proxy /x/* localhost:9000\n respond 404\n}"},
		"a root behind a prefix":           {site: "a.example.com {\n handle_path /v1/* {\n require_auth /x/* corp\n respond /x/* z\n respond 404\n }\n respond /x y\n}"},

		"a folder of the user before the gate": {site: "a.example.com {\n root /srv/{http.auth.user.id}\n require_auth corp\n file_server\n}", want: "identity-before-gate"},
		"a field of the user before the gate":  {site: "a.example.com {\n header X-User {http.auth.user.id}\n require_auth corp\n respond z\n}", want: "identity-before-gate"},
		"a field of the user in the answer":    {site: "a.example.com {\n header {\n X-User {http.auth.user.id}\n defer\n }\n require_auth corp\n respond z\n}"},
		"a rewrite of the user in one path":    {site: "a.example.com {\n rewrite /me /users/{http.auth.user.id}\n require_auth corp\n respond z\n}", want: "identity-before-gate"},
		"a folder of the user behind the gate": {site: "a.example.com {\n route {\n require_auth corp\n root /srv/{http.auth.user.id}\n file_server\n }\n}"},
		"a folder of the user without a gate":  {site: "a.example.com {\n root /srv/{http.auth.user.id}\n file_server\n}"},

		"keys in the error log": {site: "a.example.com {\n require_auth keys\n respond z\n}", want: "error-log"},

		"all origins":                    {site: "a.example.com {\n auth_cors *\n require_auth corp\n respond z\n}", want: "cors-any-origin"},
		"all origins, no gate":           {site: "a.example.com {\n auth_cors *\n respond z\n}"},
		"all subdomains":                 {site: "a.example.com {\n auth_cors https://*.example.com {\n credentials\n }\n require_auth corp\n respond z\n}", want: "cors-wildcard"},
		"all subdomains, no credentials": {site: "a.example.com {\n auth_cors https://*.example.com\n require_auth corp\n respond z\n}"},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			for _, finding := range findings(t, fmt.Sprintf(declared, c.scheme)+c.site) {
				id := finding.Rule.ID
				expected := slices.Contains(strings.Fields(c.want), id) || !slices.Contains([]string{"open-beside-guarded", "prefix-with-dots", "error-log", "preflight-answered"}, id) && (id != "prefix-without-root" || c.want == "" && strings.Contains(name, "root"))
				if expected && !slices.Contains(found, id) {
					found = append(found, id)
				}
			}
			if got := strings.Join(found, " "); got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// TestLintOfPreflights has sites for which it is clear who answers preflights, and
// sites for which it is said once.
func TestLintOfPreflights(t *testing.T) {
	const gates = "require_auth /a corp\nrequire_auth /b ops\n"
	for name, c := range map[string]struct {
		site string
		want int
	}{
		"two gates of one site":   {"a.example.com {\n" + gates + "reverse_proxy localhost:9000\n}", 1},
		"two sites":               {"a.example.com {\n" + gates + "reverse_proxy localhost:9000\n}\nb.example.com {\n" + gates + "reverse_proxy localhost:9000\n}", 2},
		"auth_cors":               {"a.example.com {\nauth_cors https://web.example\n" + gates + "reverse_proxy localhost:9000\n}", 0},
		"auth_cors on one of two": {"a.example.com {\nauth_cors https://web.example\n" + gates + "reverse_proxy localhost:9000\n}\nb.example.com {\n" + gates + "reverse_proxy localhost:9000\n}", 1},
		"no upstream":             {"a.example.com {\n" + gates + "respond ok\n}", 0},
		"it is written":           {"a.example.com {\nrequire_auth corp {\npreflight answer\n}\nreverse_proxy localhost:9000\n}", 0},
		"it is written otherwise": {"a.example.com {\nrequire_auth corp {\npreflight forward\n}\nreverse_proxy localhost:9000\n}", 0},
		"a gate of Caddy":         {"a.example.com {\nbasic_auth {\na $2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy\n}\nreverse_proxy localhost:9000\n}", 0},
	} {
		t.Run("CORS-1: "+name, func(t *testing.T) {
			found := 0
			for _, finding := range findings(t, fmt.Sprintf(declared, "")+c.site) {
				if finding.Rule.ID == "preflight-answered" {
					found++
				}
			}
			if found != c.want {
				t.Errorf("it is said %d times, want %d", found, c.want)
			}
		})
	}
}

// TestLintOfPublishedPaths has the paths that a gate answers itself, beside open ones.
func TestLintOfPublishedPaths(t *testing.T) {
	const facade = "corp {\nprotected_resource https://a.example.com/mcp {\nauthorization_server_facade corp {\nclient_id x\n}\n}\n}\n"
	for name, c := range map[string]struct{ site, open string }{
		"a gate for one path":              {"require_auth /mcp* " + facade + "respond z", "everything else"},
		"another open path":                {"require_auth /mcp* " + facade + "respond /x y\nrespond z", "/x, everything else"},
		"a gate for everything":            {"require_auth " + facade + "respond z", ""},
		"an open path below the published": {"@others not path /.well-known/auth/oauth*\nrequire_auth @others " + facade + "respond z", "/.well-known/auth/oauth*"},
		"signed identities":                {"require_auth /mcp* corp {\nforward_signed X-Identity {\naudience https://b.example.com\n}\n}\nrespond z", "everything else"},
	} {
		t.Run(name, func(t *testing.T) {
			var open []string
			for _, finding := range findings(t, fmt.Sprintf(declared, "")+"a.example.com {\n"+c.site+"\n}") {
				if what, found := strings.CutSuffix(finding.What, " is open, while other paths of the site are guarded"); found {
					open = append(open, what)
				}
			}
			if got := strings.Join(open, ", "); got != c.open {
				t.Errorf("open is %q, want %q", got, c.open)
			}
		})
	}
}
