package attacks

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// readings are ways in which upstreams understand a path.
var readings = map[string]func(string) string{
	"as it is":      func(target string) string { return target },
	"decoded":       decoded,
	"decoded twice": func(target string) string { return decoded(decoded(target)) },
	"without parameters": func(target string) string {
		parts := strings.Split(target, "/")
		for i := range parts {
			parts[i], _, _ = strings.Cut(parts[i], ";")
		}
		return strings.Join(parts, "/")
	},
	"with backslashes turned": func(target string) string { return strings.ReplaceAll(decoded(target), `\`, "/") },
	"cut at NUL":              func(target string) string { cut, _, _ := strings.Cut(decoded(target), "\x00"); return cut },
}

func decoded(target string) string {
	if plain, err := url.PathUnescape(target); err == nil {
		return plain
	}
	return target
}

// TestPathsReadApart looks for paths that pass a gate on /admin* though some upstream
// would take them for one of /admin/. With a gate on the whole site there are none.
// SECURITY.md names those that Caddy's matcher passes. No other may pass.
func TestPathsReadApart(t *testing.T) {
	undecidable := map[string]bool{ // what a matcher on a path cannot know
		"/%2561dmin/x": true, "/x/%252e%252e/admin/x": true, "/%255cadmin/x": true, "/%5cadmin/x": true, "/x%5c..%5cadmin/x": true,
		"/;a/admin/x": true, "/.;/admin/x": true, "/x/..;/admin/x": true, "/x/..%5cadmin/x": true,
	}
	targets := []string{
		"/admin", "/admin/", "/admin/x", "/ADMIN/x", "/Admin/x", "//admin/x", "/./admin/x", "/x/../admin/x", "/%61dmin/x", "/%41DMIN/x", "/admin%2fx", "/admin%2Fx",
		"/%2fadmin/x", "/x%2f..%2fadmin/x", "/%2e/admin/x", "/%2e%2e/admin/x", "/..%2fadmin/x", "/x/%2e%2e%2fadmin/x", "/admin/.", "/admin/..", "/admin/../admin/x",
		"/admin;a=b/x", "/admin;/x", "/admin%3b/x", "/admin%00", "/admin%00/x", "/admin%09", "/admin%20", "/admin%20/x", "/admin./x", "/admin%2e/x", "/admin~/x",
		"/admin?x", "/admin%3fx", "/admin%23x", "/admin%252fx", "/admin%5cx", `/admin\x`, "/admin::$DATA", "/admin.json", "/admin.php/x", "/admin/%2e%2e%2fadmin",
		"/%u0061dmin/x", "/%c0%aeadmin/x", "/%ef%bc%8fadmin/x", "/%e2%84%aadmin/x", "/ad%0amin/x", "/\xefadmin/x", "/admin\x01/x",
	}
	for target := range undecidable {
		targets = append(targets, target)
	}
	f := newFortress(t, "require_auth /admin* corp")
	for _, target := range targets {
		t.Run("GW-4: "+strings.ReplaceAll(target, "/", "∕"), func(t *testing.T) {
			f.Send(lines("GET " + target))
			for _, request := range f.take() {
				plain, _, _ := strings.Cut(request.target, "?")
				for way, read := range readings {
					if understood := strings.ToLower(path.Clean(read(plain))); strings.HasPrefix(understood, "/admin") && !undecidable[target] {
						t.Errorf("past the gate, and %s it is %s", way, understood)
					}
				}
			}
		})
	}
	f = newFortress(t, "require_auth corp")
	for _, target := range targets {
		t.Run("GW-4: a gate on all of the site, "+strings.ReplaceAll(target, "/", "∕"), func(t *testing.T) { f.stops(t, f.Send(lines("GET "+target))) })
	}
}

// TestOverrides says by other fields what is meant. The gate goes by the request
// itself.
func TestOverrides(t *testing.T) {
	f := newFortress(t, "require_auth /admin* corp\n@write method POST PUT DELETE\nrequire_auth @write corp")
	for _, field := range []string{
		"X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET", "X-Original-Method: GET",
		"X-Original-URL: /open", "X-Rewrite-URL: /open", "X-Forwarded-URI: /open", "X-Forwarded-Path: /open", "X-Forwarded-Prefix: /open", "X-Forwarded-Host: other.example",
		"X-Forwarded-Proto: https", "X-Forwarded-Method: GET", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "True-Client-IP: 127.0.0.1", "X-Client-IP: 127.0.0.1",
		"Forwarded: for=127.0.0.1;host=other.example;proto=https", "X-Custom-IP-Authorization: 127.0.0.1", "X-Originating-IP: 127.0.0.1", "X-Remote-User: admin",
		"X-Forwarded-User: admin", "X-Forwarded-Client-Cert: By=x;Hash=y", "SSL-Client-Verify: SUCCESS", "X-SSL-Client-S-DN: CN=admin", "X-Auth-Request-User: admin",
		"X-Middleware-Subrequest: middleware", "Front-End-Https: on", "CF-Connecting-IP: 127.0.0.1", "Referer: http://localhost/admin", "Via: 1.1 admin", "Max-Forwards: 0",
		"Range: bytes=0-0", "If-None-Match: *", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT", "Cache-Control: only-if-cached", "Accept: nothing/nothing",
		"Content-Type: application/json", "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Site: same-origin", "Origin: http://localhost", "X-Requested-With: XMLHttpRequest",
	} {
		t.Run("GW-3: "+field, func(t *testing.T) {
			f.stops(t, f.Send(lines("GET /admin/x", field)))
			f.stops(t, f.Send(lines("DELETE /open", field)))
			f.stops(t, f.Send(lines("HEAD /admin/x", field)))
		})
	}
	t.Run("GW-3: _method in a form and in the query", func(t *testing.T) {
		f.stops(t, f.Send(lines("POST /open?_method=GET", "Content-Type: application/x-www-form-urlencoded", "Content-Length: 11")+"_method=GET"))
	})
}

// TestHosts asks for the guarded site by other names of it.
func TestHosts(t *testing.T) {
	f := newFortress(t, "require_auth corp")
	for _, host := range []string{
		"localhost", "LOCALHOST", "localhost.", "localhost:80", "localhost:8080", "localhost:", "other.example", "other.example.", "OTHER.example:1", "evil.example",
		"127.0.0.1", "[::1]", "[::1]:8080", "localhost@evil.example", "evil.example@localhost", "localhost/open", "localhost, other.example", "local host", "localhost%00",
		"xn--localhost", "localhost#", "localhost?", "*", "", "localhost\t", "_",
	} {
		t.Run("the host is "+strings.ReplaceAll(host, "/", "∕"), func(t *testing.T) {
			r := f.Send("GET /x HTTP/1.1\r\nHost: " + host + "\r\n\r\n")
			if requests := f.take(); len(requests) != 0 || r.Status == 200 && r.Body != "" {
				t.Errorf("%d %s, the upstream got %v", r.Status, r.Body, requests)
			}
			if r.Status == 401 {
				r.Want(401, "missing_credentials", `Bearer realm="api"`)
			}
		})
	}
	t.Run("the target names the guarded host and Host another", func(t *testing.T) {
		f.stops(t, f.Send("GET http://localhost/x HTTP/1.1\r\nHost: evil.example\r\n\r\n"))
	})
}

// TestAddress claims another address than the connection has: the log and the
// limits go by the connection, unless a proxy is trusted.
func TestAddress(t *testing.T) {
	f := newFortress(t, "require_auth ops")
	for range 10 {
		f.Get("/", harness.Basic("alice", "guess"))
	}
	for i, field := range []string{"X-Forwarded-For", "Forwarded", "X-Real-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip"} {
		value := "192.0.2." + string(rune('1'+i))
		if field == "Forwarded" {
			value = "for=" + value
		}
		t.Run("LEAK-6: who has to wait does not come back by "+field, func(t *testing.T) {
			if r := f.Get("/", harness.Basic("alice", password), harness.Header(field, value)); r.Status != 429 {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			records := f.Decisions()
			if got := records[len(records)-1]["client_ip"]; got != "127.0.0.1" && got != "::1" {
				t.Errorf("the log has %v", got)
			}
		})
	}
}
