package answers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestForwardOfSeveralGates has two gates on one request, in both orders, that forward
// two callers.
func TestForwardOfSeveralGates(t *testing.T) {
	b := serve(t, nil)
	const (
		employee = "require_auth corp {\nforward X-Employee {http.auth.user.id}\nforward X-Caller {http.auth.user.id}\nforward X-Scheme {http.auth.scheme}\n}\n"
		partner  = "require_auth partners {\noptional\nforward X-Partner {http.auth.user.id}\nforward X-Partner-Scope {http.auth.user.scope}\n" +
			"forward X-Caller {http.auth.user.id}\nforward X-Tenant {http.auth.user.tenant}\n}\n"
		tenant = "require_auth corp {\nforward X-Tenant {http.auth.user.tenant}\n}\n"
	)
	s := harness.Start(t, site("route /first/* {\n"+employee+tenant+partner+"reverse_proxy "+b.addr+"\n}\n"+
		"route /last/* {\n"+partner+tenant+employee+"reverse_proxy "+b.addr+"\n}\n"))
	send := func(t *testing.T, path string, options ...harness.Option) string {
		t.Helper()
		want(t, s.Get(path, append(options, tokenWithClaims(t, harness.Claims{"tenant": "acme", "scope": "admin"}))...), 200, "")
		var identities []string
		for name, values := range b.last(t).Header {
			if strings.HasPrefix(name, "X-") && name != "X-Api-Key" && !strings.HasPrefix(name, "X-Forwarded-") {
				identities = append(identities, name+"="+strings.Join(values, " and "))
			}
		}
		slices.Sort(identities)
		return strings.Join(identities, " ")
	}
	const alone = "X-Caller=alice X-Employee=alice X-Scheme=corp X-Tenant=acme"
	for _, path := range []string{"/first/", "/last/"} {
		t.Run("ID-1: who passes an optional gate without its credential is nobody to it, "+path, func(t *testing.T) {
			if got := send(t, path); got != alone {
				t.Errorf("the upstream was told %s", got)
			}
		})
		t.Run("ID-1: what a client claims reaches nobody, "+path, func(t *testing.T) {
			var claims []harness.Option
			for _, name := range []string{"X-Caller", "x-caller", "X-Partner", "X-Partner-Scope", "X-Tenant", "X-Scheme", "X-Employee"} {
				claims = append(claims, harness.Header(name, "alice"), harness.Header(name, "mallory"))
			}
			if got := send(t, path, claims...); got != alone {
				t.Errorf("the upstream was told %s", got)
			}
		})
	}
	for path, identities := range map[string]string{
		// The partner has no tenant: that of the employee would be another caller's.
		"/first/": "X-Caller=partner-a X-Employee=alice X-Partner-Scope=read X-Partner=partner-a X-Scheme=corp",
		"/last/":  "X-Caller=alice X-Employee=alice X-Partner-Scope=read X-Partner=partner-a X-Scheme=corp X-Tenant=acme",
	} {
		t.Run("ID-1: each gate tells of the caller it has admitted, "+path, func(t *testing.T) {
			if got := send(t, path, key(apiKey)); got != identities {
				t.Errorf("the upstream was told %s, want %s", got, identities)
			}
		})
	}
	t.Run("ID-1: what one gate set stays for the page of another one's denial", func(t *testing.T) {
		s.Reload(site("route {\n" + employee + "require_auth partners {\nforward X-Caller {http.auth.user.id}\n}\nrespond ok\n}\n" +
			"handle_errors {\nrewrite * /{err.status_code}\nreverse_proxy " + b.addr + "\n}"))
		want(t, s.Get("/", harness.Bearer(harness.Token(t)), harness.Header("X-Employee", "mallory"), harness.Header("X-Partner", "mallory")), 200, "", keyed)
		if h := b.last(t).Header; fmt.Sprint(h["X-Caller"], h["X-Employee"]) != "[alice] [alice]" {
			t.Errorf("the pages were told %q %q", h["X-Caller"], h["X-Employee"])
		}
	})
}
