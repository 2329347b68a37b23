package resourceserver

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// tokenOf makes a token in which the provider names itself.
func tokenOf(p *harness.Provider, claims ...harness.Claims) string {
	return p.Token(append([]harness.Claims{{"iss": p.Issuer()}}, claims...)...)
}

func guardedBy(providers ...*harness.Provider) string {
	var schemes strings.Builder
	for i, p := range providers {
		schemes.WriteString("bearer p" + strconv.Itoa(i) + " {\n issuer " + p.Issuer() + "\n audience " + harness.Audience + "\n}\n")
	}
	names := ""
	for i := range providers {
		names += " p" + strconv.Itoa(i)
	}
	return "{\n auth {\n realm api\n" + schemes.String() + "}\n}\nhttp://localhost:8080 {\n require_auth" + names + "\n respond ok\n}\n"
}

func TestProviderDownAndUp(t *testing.T) {
	p := harness.NewProvider(t)
	s := harness.Start(t, guardedBy(p))
	t.Run("R8414-5 AVAIL-1: while the provider is down a token is 503 and never 401", func(t *testing.T) {
		answer := s.Get("/", harness.Bearer(tokenOf(p))).Want(503, "temporarily_unavailable")
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 {
			t.Errorf("Retry-After %q", answer.Header.Get("Retry-After"))
		}
	})
	t.Run("AVAIL-1: without a token the answer is still 401", func(t *testing.T) {
		s.Get("/").Want(401, "missing_credentials", `Bearer realm="api"`)
	})
	t.Run("JWT-8: a token of another issuer is 401 even then", func(t *testing.T) {
		s.Get("/", harness.Bearer(tokenOf(p, harness.Claims{"iss": "https://other.example"}))).Want(401, "invalid_token",
			`Bearer realm="api", error="invalid_token", `+badToken)
	})
	p.Up()
	t.Run("R8414-5: once it is up tokens pass", func(t *testing.T) {
		harness.Eventually(t, "the key set is fetched", func() bool { return s.Get("/", harness.Bearer(tokenOf(p))).Status == 200 })
	})
	p.Down()
	t.Run("GW-5 JWT-14: the keys survive the provider and a reload", func(t *testing.T) {
		s.Get("/", harness.Bearer(tokenOf(p, harness.Claims{"jti": "1"}))).Want(200, "")
		fetched := p.Fetches.Load()
		s.Reload(guardedBy(p) + "\n# changed\n")
		harness.Eventually(t, "the new configuration answers", func() bool {
			answer := s.Get("/", harness.Bearer(tokenOf(p, harness.Claims{"jti": "2"})))
			return answer.Status == 200
		})
		if p.Fetches.Load() != fetched {
			t.Error("the keys were fetched again")
		}
	})
}

func TestDiscovery(t *testing.T) {
	for name, tc := range map[string]struct {
		path   string
		openID bool
	}{
		"R8414-2: RFC 8414 with a path":             {"/tenant", false},
		"R8414-2: RFC 8414 with a slash at the end": {"/tenant/", false},
		"R8414-2: OpenID Connect with a path":       {"/tenant", true},
		"R8414-2: OpenID Connect without a path":    {"", true},
	} {
		t.Run(name, func(t *testing.T) {
			p := harness.NewProvider(t)
			p.Path, p.OpenID = tc.path, tc.openID
			p.Up()
			s := harness.Start(t, guardedBy(p))
			s.Get("/", harness.Bearer(tokenOf(p))).Want(200, "")
		})
	}
	t.Run("R8414-4: a document of another issuer is not used", func(t *testing.T) {
		p := harness.NewProvider(t)
		p.Claimed = p.Issuer() + "/"
		p.Up()
		s := harness.Start(t, guardedBy(p))
		s.Get("/", harness.Bearer(tokenOf(p))).Want(503, "temporarily_unavailable")
	})
	t.Run("JWT-8: two issuers, one of them down", func(t *testing.T) {
		up, down := harness.NewProvider(t), harness.NewProvider(t)
		up.Up()
		s := harness.Start(t, guardedBy(down, up))
		s.Get("/", harness.Bearer(tokenOf(up))).Want(200, "")
		s.Get("/", harness.Bearer(tokenOf(down))).Want(503, "temporarily_unavailable")
	})
}

func TestMCPGate(t *testing.T) {
	s := harness.Start(t, `
{
	auth {
		bearer corp {`+harness.BearerLines+`}
	}
}
http://localhost:8080 {
	require_auth /mcp {
		protected_resource http://LOCALHOST:8080/mcp
		strip_credentials
	}
	respond "{header.Authorization}"
}`)
	const challenge = `Bearer realm="api", resource_metadata="`
	t.Run("MCP-8: a session id is not a credential", func(t *testing.T) {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			answer := s.Do(method, s.URL("/mcp"), harness.Header("Mcp-Session-Id", "1868a90c"))
			if answer.Status != 401 || len(answer.Challenges()) != 1 || !strings.HasPrefix(answer.Challenges()[0], challenge) {
				t.Errorf("%s: %d %q", method, answer.Status, answer.Challenges())
			}
		}
	})
	t.Run("MCP-7: a token in the query is not accepted", func(t *testing.T) {
		if got := s.Get("/mcp?access_token=" + harness.Token(t)).Status; got != 401 {
			t.Errorf("status %d", got)
		}
	})
	t.Run("MCP-9: the token can be kept from the upstream", func(t *testing.T) {
		if got := s.Get("/mcp", harness.Bearer(harness.Token(t))); got.Status != 200 || got.Body != "" {
			t.Errorf("%d %q", got.Status, got.Body)
		}
	})
	t.Run("R9728-4 MCP-12: the resource is published letter by letter", func(t *testing.T) {
		var document struct{ Resource string }
		body := s.Get("/.well-known/oauth-protected-resource/mcp").Body
		if err := json.Unmarshal([]byte(body), &document); err != nil || !strings.HasPrefix(document.Resource, "http://LOCALHOST:") || !strings.HasSuffix(document.Resource, "/mcp") {
			t.Errorf("%s", body)
		}
	})
}
