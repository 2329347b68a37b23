package schemes

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const web = "https://web.example"

// preflightServer has a site with auth_cors on :8080 and one without on :8081,
// whose upstream says what it was asked.
func preflightServer(t *testing.T) *harness.Server {
	t.Helper()
	address := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s user=%q key=%q", r.Method, r.Header["X-User"], r.Header["X-Api-Key"]) // the client would see it
	})
	gate := `
	require_auth ops partners corp {
		forward X-User {http.auth.user.id}
		scope admin
	}
	reverse_proxy ` + address
	return harness.Start(t, config(`attempts off
		api_key partners {
			from header X-API-Key
			from header X-Secret-Key
			from query  api_key
			from cookie key
			key partner-a `+digest("key-of-a")+`
		}
		basic ops {
			user alice `+hash(t, "secret")+`
		}
		bearer corp {`+harness.BearerLines+`}`,
		"auth_cors "+web+" {\n credentials\n max_age 10m\n}\n"+gate)+"http://localhost:8081 {\n"+gate+"\n}\n")
}

// preflight asks as a browser does, with more.
func preflight(s *harness.Server, url string, more ...harness.Option) *harness.Response {
	return s.Do("OPTIONS", url, append([]harness.Option{
		origin(web), harness.Header("Access-Control-Request-Method", "PUT"),
		harness.Header("Access-Control-Request-Headers", "authorization,x-api-key"),
	}, more...)...)
}

var offers = []string{`Bearer realm="api", scope="admin"`, basicChallenge, keyChallenge}

func TestPreflight(t *testing.T) {
	s := preflightServer(t)
	t.Run("CORS-1: a preflight is answered with 204 and no challenge", func(t *testing.T) {
		want(t, preflight(s, s.URL("/data")), 204, "")
	})
	t.Run("CORS-1: Access-Control-Request-Headers may be missing", func(t *testing.T) {
		want(t, s.Do("OPTIONS", s.URL("/data"), origin(web), harness.Header("Access-Control-Request-Method", "GET")), 204, "")
	})
	t.Run("CORS-3: what the answer says is that the request may be sent", func(t *testing.T) {
		h := preflight(s, s.URL("/data")).Header
		for name, value := range map[string]string{
			"Access-Control-Allow-Origin":      web,
			"Access-Control-Allow-Credentials": "true",
			"Access-Control-Allow-Methods":     "PUT",
			"Access-Control-Max-Age":           "600",
		} {
			if got := h[name]; !slices.Equal(got, []string{value}) {
				t.Errorf("%s: %q, want %q", name, got, value)
			}
		}
	})
	t.Run("CORS-4: Authorization and the key field are allowed by name", func(t *testing.T) {
		got := members(preflight(s, s.URL("/data")).Header["Access-Control-Allow-Headers"])
		if !slices.Equal(got, []string{"authorization", "x-api-key"}) {
			t.Errorf("allowed %q", got)
		}
	})
	t.Run("CORS-3: a preflight of another origin is a 204 that allows nothing", func(t *testing.T) {
		response := s.Do("OPTIONS", s.URL("/data"), origin("https://evil.example"), harness.Header("Access-Control-Request-Method", "PUT"))
		want(t, response, 204, "")
		for name := range response.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %q", name, response.Header[name])
			}
		}
	})
	t.Run("CORS-11: local networks are not opened", func(t *testing.T) {
		response := preflight(s, s.URL("/data"), harness.Header("Access-Control-Request-Private-Network", "true"))
		want(t, response, 204, "")
		if got := response.Header["Access-Control-Allow-Private-Network"]; got != nil {
			t.Errorf("Access-Control-Allow-Private-Network: %q", got)
		}
	})
	t.Run("CORS-3: a key in the URL, which a preflight repeats, changes nothing", func(t *testing.T) {
		for _, value := range []string{"key-of-a", "nonsense"} {
			want(t, preflight(s, s.URL("/data?api_key="+value)), 204, "")
			want(t, preflight(s, s.SecondURL("/data?api_key="+value)), 204, "")
		}
	})
}

func TestNoPreflight(t *testing.T) {
	s := preflightServer(t)
	for name, option := range map[string]harness.Option{
		"a token":                       authorization("Bearer x"),
		"a password":                    authorization("Basic x"),
		"another scheme":                authorization("Negotiate x"),
		"a key":                         key("nonsense"),
		"a key in a field of its own":   harness.Header("X-Secret-Key", "nonsense"),
		"a key in a cookie":             cookie("key=nonsense"),
		"any cookie":                    cookie("a=b"),
		"a DPoP proof":                  harness.Header("DPoP", "x"),
		"a method override":             harness.Header("X-HTTP-Method-Override", "PUT"),
		"another method override":       harness.Header("X-HTTP-Method", "PUT"),
		"a second origin":               origin(web),
		"a second method":               harness.Header("Access-Control-Request-Method", "GET"),
		"a password for a proxy on top": harness.Header("Proxy-Authorization", "Basic x"),
	} {
		for location, url := range map[string]string{"with auth_cors": s.URL("/data"), "without auth_cors": s.SecondURL("/data")} {
			t.Run("CORS-2: OPTIONS with "+name+" is guarded "+location, func(t *testing.T) {
				response := preflight(s, url, option)
				if response.Status != 401 {
					t.Errorf("status %d\n%s", response.Status, response.Body)
				}
			})
		}
	}
	for name, options := range map[string][]harness.Option{
		"nothing":                     nil,
		"an origin alone":             {origin(web)},
		"a method alone":              {harness.Header("Access-Control-Request-Method", "PUT")},
		"an empty origin":             {origin(""), harness.Header("Access-Control-Request-Method", "PUT")},
		"an empty method":             {origin(web), harness.Header("Access-Control-Request-Method", "")},
		"the names of request fields": {origin(web), harness.Header("Access-Control-Request-Headers", "authorization")},
	} {
		t.Run("CORS-2: OPTIONS with "+name+" is guarded", func(t *testing.T) {
			want(t, s.Do("OPTIONS", s.URL("/data"), options...), 401, "missing_credentials", offers...)
			want(t, s.Do("OPTIONS", s.SecondURL("/data"), options...), 401, "missing_credentials", offers...)
		})
	}
	t.Run("CORS-2: another method in the shape of a preflight is guarded", func(t *testing.T) {
		for _, method := range []string{"GET", "PUT", "options"} {
			response := s.Do(method, s.URL("/data"), origin(web), harness.Header("Access-Control-Request-Method", "PUT"))
			want(t, response, 401, "missing_credentials", offers...)
		}
	})
	t.Run("CORS-2: OPTIONS with good credentials that may is let through", func(t *testing.T) {
		token := harness.Token(t, harness.Claims{"scope": "admin"})
		response := preflight(s, s.URL("/data"), harness.Bearer(token))
		want(t, response, 200, "")
		if response.Body != `OPTIONS user=["alice"] key=[]` {
			t.Errorf("body %s", response.Body)
		}
	})
	t.Run("CORS-2: OPTIONS with good credentials that may not is a 403", func(t *testing.T) {
		want(t, preflight(s, s.URL("/data"), key("key-of-a")), 403, "insufficient_scope")
	})
}
