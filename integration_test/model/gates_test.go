package model

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	password = "correct horse battery staple"
	apiKey   = "key-of-a-partner-0123456789"
	oldKey   = "key-that-has-ended-0123456789"
)

func digestOf(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// declared are the schemes. The keys of `down` cannot be had. Who is good has
// the scope read and the role operator, by each of them.
func declared(t testing.TB) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	const granted = "{\nscope read\nrole operator\n}\n"
	return "bearer corp {" + harness.BearerLines + "}\n" +
		"bearer down {\naudience " + harness.Audience + "\njwks http://127.0.0.1:1/keys\n}\n" +
		"basic ops {\nuser alice " + string(hash) + " " + granted + "}\n" +
		"api_key partners {\nfrom header X-API-Key\nkey alice " + digestOf(apiKey) + " " + granted +
		"key gone " + digestOf(oldKey) + " {\nexpires 2020-01-01T00:00:00Z\n}\n}\n"
}

// requirements are the lines of a gate for each word, and of a second gate.
var requirements = map[string][]string{
	"nothing": {""}, "scope met": {"scope read"}, "scope": {"scope read admin"}, "any_scope": {"any_scope admin root"}, "role": {"role boss"},
	"claim": {"claim tenant acme"}, "user": {"user bob"}, "if": {"if `{http.auth.user.id} == \"bob\"`"}, "if broken": {"if `{http.auth.user.level} > 3`"},
	"acr": {"acr gold"}, "max_age": {"max_age 5m"}, "second gate": {"", "scope admin"},
}

// accepted are the schemes that a gate accepts.
func accepted(p point) string {
	corp := "corp"
	if p.credential == "unavailable" {
		corp = "down"
	}
	if strings.HasSuffix(p.scheme, " of three") {
		return corp + " ops partners"
	}
	return map[string]string{"bearer": corp, "basic": "ops", "api_key": "partners"}[p.scheme]
}

// path is where the gate for a point stands.
func path(p point) string {
	return "/" + strings.NewReplacer(" ", "-").Replace(accepted(p)+"/"+p.required+"/"+p.option)
}

// caddyfile has a gate for each path. The site :8081 has error routes.
func caddyfile(t testing.TB, upstream string) string {
	t.Helper()
	sites := map[bool]*strings.Builder{false: {}, true: {}}
	seen := map[string]bool{}
	points(func(p point) {
		if seen[path(p)] {
			return
		}
		seen[path(p)] = true
		option := map[string]string{"optional": "optional", "hide": "hide", "hide all": "hide all"}[p.option]
		for _, required := range requirements[p.required] {
			fmt.Fprintf(sites[p.option == "handle_errors"], "require_auth %s %s {\n%s\n%s\nforward X-User {http.auth.user.id}\n}\n", path(p), accepted(p), required, option)
		}
	})
	proxy := "reverse_proxy " + upstream + "\n"
	return "{\nauto_https off\nservers {\ntrusted_proxies static 127.0.0.0/8 ::1/128\n}\nauth {\nattempts {\nper_client 1000000\nper_account 1000000\n}\n" + declared(t) + "}\n}\n" +
		"http://localhost:8080 {\n" + sites[false].String() + proxy + "}\n" +
		"http://localhost:8081 {\n" + sites[true].String() + proxy + "handle_errors {\nrespond `{\"code\":\"{http.auth.error}\"}` {err.status_code}\n}\n}\n"
}

// gates is a running Caddy with all of them, and the upstream behind.
type gates struct {
	*harness.Server
	client      *http.Client
	reached     atomic.Int64
	user        atomic.Value // string: who the upstream was told
	credentials map[string]map[string][]string
}

func startGates(t *testing.T) *gates {
	t.Helper()
	g := &gates{client: &http.Client{}}
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		g.reached.Add(1)
		g.user.Store(strings.Join(r.Header["X-User"], ","))
	}))
	t.Cleanup(upstream.Close)
	t.Cleanup(g.client.CloseIdleConnections)
	g.Server = harness.StartWithAdmin(t, caddyfile(t, strings.TrimPrefix(upstream.URL, "http://")))
	g.credentials = g.prepare(t)
	return g
}
