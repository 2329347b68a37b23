package attacks

import (
	"net"
	"net/http"
	"net/http/fcgi"
	"strings"
	"testing"
)

// TestConnection has a proxy drop fields by naming them in Connection (RFC 9110
// §7.6.1). The upstream would then take the caller for another, or for an anonymous
// one.
func TestConnection(t *testing.T) {
	f := newFortress(t, `
	require_auth /kept corp {
		forward X-User {http.auth.user.id}
	}
	require_auth /stripped corp {
		forward X-User {http.auth.user.id}
		strip_credentials
	}`)
	good := "Authorization: Bearer " + f.token
	for name, fields := range map[string][]string{
		"Authorization":              {"Connection: Authorization"},
		"Authorization in capitals":  {"Connection: close, AUTHORIZATION"},
		"Cookie and a proof":         {"Connection: Cookie, DPoP"},
		"Host":                       {"Connection: Host"},
		"the length":                 {"Connection: Content-Length, Transfer-Encoding"},
		"what the proxy adds":        {"Connection: X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Via"},
		"itself":                     {"Connection: Connection, X-User"},
		"a quoted name":              {`Connection: "X-User", X-User`},
		"a name with a parameter":    {"Connection: X-User;q=1, X-User"},
		"nothing between commas":     {"Connection: ,, ,X-User,,"},
		"a name between tabs":        {"Connection: \tX-User\t"},
		"a name in the second field": {"Connection: keep-alive", "Connection: x-user"},
		"a name in Keep-Alive":       {"Connection: Keep-Alive", "Keep-Alive: X-User"},
		"a name in Proxy-Connection": {"Proxy-Connection: X-User"},
		"a name in TE":               {"Connection: TE", "TE: trailers, X-User"},
		"a name in Trailer":          {"Connection: Trailer", "Trailer: X-User"},
		"a name beside an upgrade":   {"Connection: Upgrade, X-User", "Upgrade: h2c"},
		"a name in another spelling": {"Connection: X_User, X.User, X!User"},
		"too many names":             {"Connection: " + strings.Repeat("X-User, ", 500) + "close"},
	} {
		t.Run("R9700-3: Connection names "+name, func(t *testing.T) {
			for _, path := range []string{"/kept", "/stripped"} {
				f.stops(t, f.Send(lines("GET "+path, fields...)))
				r := f.Send(lines("GET "+path, append(fields, good)...))
				requests := f.take()
				if r.Status != http.StatusOK || len(requests) != 1 {
					t.Fatalf("%d, %d at the upstream", r.Status, len(requests))
				}
				requests[0].hasOnly(t, name, "alice")
				if path == "/stripped" && requests[0].header["Authorization"] != nil {
					t.Error("the credential went on")
				}
			}
		})
	}
}

// TestVariables looks at what a FastCGI application is told, where names of
// fields become names of variables.
func TestVariables(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	application := new(witness)
	go func() { _ = fcgi.Serve(listener, application) }() // it ends with the listener
	f := newFortress(t, `
	require_auth /known corp {
		forward X-User {http.auth.user.id}
	}
	require_auth /optional corp {
		optional
		forward X-User {http.auth.user.id}
	}
	reverse_proxy `+listener.Addr().String()+` {
		transport fastcgi {
			root /nowhere
		}
	}
	#`)
	for _, name := range impostors {
		if asVariable(name) == "x-roles" {
			continue // nobody speaks of roles here
		}
		t.Run("R9700-3: "+name, func(t *testing.T) {
			for path, user := range map[string]string{"/known": "alice", "/optional": ""} {
				fields := []string{name + ": admin", "Connection: X-User"}
				if user != "" {
					fields = append(fields, "Authorization: Bearer "+f.token)
				}
				f.Send(lines("GET "+path, fields...))
				requests := application.take()
				if len(requests) != 1 {
					t.Fatalf("%d at the application", len(requests))
				}
				requests[0].hasOnly(t, name, user)
			}
		})
	}
}
