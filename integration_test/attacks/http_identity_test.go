package attacks

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// impostors are the spellings of a forged identity field.
var impostors = []string{
	"X-User", "x-user", "X-USER", "X_User", "x_user", "X.User", "x.user", "X-user", "X_USER", "X-User_", "HTTP_X_USER", "X-Roles", "x_roles", "X_Roles",
	"X!User", "x#user", "X$User", "X%User", "X&User", "X'User", "X*User", "X+User", "X^User", "X`User", "X|User", "x~user", "X!Roles",
}

// TestImpostor claims an identity by itself, in every way and on every path.
func TestImpostor(t *testing.T) {
	f := newFortress(t, `
	require_auth /me corp {
		preflight forward
		forward X-User  {http.auth.user.id}
		forward X-Roles {http.auth.user.roles}
		strip_credentials
	}
	require_auth /optional corp {
		optional
		forward X-User  {http.auth.user.id}
		forward X-Roles {http.auth.user.roles}
	}
	require_auth /twice corp {
		forward X-User {http.auth.user.id}
	}
	require_auth /twice corp {
		forward X-Roles {http.auth.user.roles}
	}`)
	good := "Authorization: Bearer " + f.token
	// claims are what a request may bring along, for a name and a value.
	claims := map[string]func(name string) []string{
		"alone":             func(name string) []string { return []string{name + ": admin"} },
		"twice":             func(name string) []string { return []string{name + ": admin", name + ": root"} },
		"with space around": func(name string) []string { return []string{name + ":  \t admin \t"} },
		"empty":             func(name string) []string { return []string{name + ":"} },
		"as a list":         func(name string) []string { return []string{name + ": alice, admin"} },
		"named by Connection": func(name string) []string {
			return []string{name + ": admin", "Connection: close, " + name + ", X-User", "Keep-Alive: " + name, "TE: trailers, " + name}
		},
	}
	for path, user := range map[string]string{"/me": "alice", "/optional": "", "/optional known": "alice", "/twice": "alice", "/me preflight": ""} {
		path, how, _ := strings.Cut(path, " ")
		for way, claim := range claims {
			t.Run("R9700-3: "+path+" "+how+", "+way, func(t *testing.T) {
				for _, name := range impostors {
					fields := claim(name)
					line := "GET " + path
					switch {
					case how == "preflight":
						line, fields = "OPTIONS "+path, append(fields, "Origin: https://a.example", "Access-Control-Request-Method: GET")
					case user != "":
						fields = append(fields, good)
					}
					r := f.Send(lines(line, fields...))
					requests := f.take()
					if r.Status == http.StatusBadRequest && len(requests) == 0 {
						continue // a name that no server takes
					}
					if r.Status != http.StatusOK || len(requests) != 1 {
						t.Fatalf("%s: %d, %d at the upstream", name, r.Status, len(requests))
					}
					requests[0].hasOnly(t, name, user)
				}
			})
		}
	}
}

// hasOnly wants an identity in the fields of its names and in no other that an
// upstream could take for them.
func (r arrival) hasOnly(t *testing.T, name, user string) {
	t.Helper()
	for field, values := range r.header {
		switch asVariable(field) {
		case "x-user":
			if len(values) != 1 || values[0] != user || field != "X-User" {
				t.Errorf("%s: the upstream got %s %q", name, field, values)
			}
		case "x-roles":
			t.Errorf("%s: the upstream got %s %q", name, field, values)
		}
	}
	if user != "" && r.header.Get("X-User") != user {
		t.Errorf("%s: the upstream was not told who it is: %v", name, r.header)
	}
	if len(r.trailer) > 0 {
		t.Errorf("%s: the upstream got the trailers %v", name, r.trailer)
	}
}

// asVariable writes a name as lighttpd does for CGI, the widest folding of an upstream.
// All characters other than letters and digits become the same.
func asVariable(name string) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '-'
	}, strings.ToLower(name))
}

// TestErrorRoutes claims an identity in a request that is denied, where the
// pages of a site come from an upstream of their own.
func TestErrorRoutes(t *testing.T) {
	pages := newWitness(t)
	f := newFortress(t, `
	require_auth corp {
		scope admin
		forward X-User  {http.auth.user.id}
		forward X-Roles {http.auth.user.roles}
		strip_credentials
	}
	handle_errors {
		rewrite * /{err.status_code}.html
		reverse_proxy `+pages.address+`
	}`)
	for caller, credential := range map[string]string{
		"nobody": "X-A: b", "a bad token": "Authorization: Bearer x", "too little": "Authorization: Bearer " + f.token, "two tokens": "Authorization: Bearer x\r\nAuthorization: Bearer y",
	} {
		t.Run("R9700-3: an error page for "+caller, func(t *testing.T) {
			for _, name := range impostors {
				r := f.Send(lines("GET /", credential, name+": admin", "Connection: X-User"))
				requests := pages.take()
				if r.Status == http.StatusBadRequest && len(requests) == 0 {
					continue // a name that no server takes
				}
				if len(requests) != 1 || len(f.take()) != 0 {
					t.Fatalf("%s: %d, %d at the pages", name, r.Status, len(requests))
				}
				requests[0].hasOnly(t, name, "")
			}
		})
	}
}

// TestTrailers sends identities after the body, when every gate has decided.
func TestTrailers(t *testing.T) {
	f := newFortress(t, `
	require_auth corp {
		forward X-User {http.auth.user.id}
	}`)
	t.Run("R9700-3: in a trailer of HTTP/1.1", func(t *testing.T) {
		f.Send(lines("POST /", "Authorization: Bearer "+f.token, "Transfer-Encoding: chunked", "Trailer: X-User, X_User") + "1\r\nx\r\n0\r\nX-User: admin\r\nX_User: admin\r\n\r\n")
		for _, request := range f.take() {
			request.hasOnly(t, "trailer", "alice")
		}
	})
	for version, send := range map[string]func(fields []string, body string, trailers ...string) *harness.Response{
		"HTTP/2": f.SendHTTP2,
		"HTTP/3": func(fields []string, body string, trailers ...string) *harness.Response {
			return f.SendHTTP3(new(tls.Config), fields, body, trailers...)
		},
	} {
		f.sendsTrailers(t, version, send)
	}
}

// sendsTrailers does so in a version of HTTP with pseudo fields, and sends fields
// that such a version has no place for.
func (f *fortress) sendsTrailers(t *testing.T, version string, send func(fields []string, body string, trailers ...string) *harness.Response) {
	t.Helper()
	fields := []string{":method", "POST", ":scheme", "http", ":authority", "localhost", ":path", "/"}
	t.Run("R9700-3: in a trailer of "+version, func(t *testing.T) {
		r := send(append(fields, "authorization", "Bearer "+f.token, "trailer", "x-user"), "x", "x-user", "admin", "x_user", "admin")
		requests := f.take()
		if r.Status != 200 || len(requests) != 1 {
			t.Fatalf("%d, %d at the upstream", r.Status, len(requests))
		}
		requests[0].hasOnly(t, "trailer", "alice")
	})
	t.Run("R9110-15: a credential in a trailer of "+version+" is none", func(t *testing.T) {
		f.stops(t, send(append(fields, "trailer", "authorization"), "x", "authorization", "Bearer "+f.token))
	})
	for name, field := range map[string][2]string{
		"two credentials":         {"authorization", "Bearer " + f.token},
		"a connection of its own": {"connection", "x-user"},
		"te of its own":           {"te", "x-user"},
		"an upgrade":              {"upgrade", "h2c"},
		"a name in capitals":      {"X-User", "admin"},
		"a name with a space":     {"x-user ", "admin"},
		"a name spelled with !":   {"x!user", "admin"},
		"a line break":            {"x-a", "b\r\nx-user: admin"},
		"a second path":           {":path", "/open"},
	} {
		t.Run("R9110-15: "+version+" with "+name, func(t *testing.T) {
			request := append(append([]string{}, fields...), "authorization", "Bearer "+f.token, field[0], field[1])
			if strings.HasPrefix(field[0], ":") {
				request = append(append([]string{}, fields...), field[0], field[1], "authorization", "Bearer "+f.token)
			}
			send(request, "")
			for _, arrival := range f.take() {
				arrival.hasOnly(t, name, "alice")
			}
		})
	}
}
