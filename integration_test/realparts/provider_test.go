//go:build realparts

package realparts

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const invalid = `Bearer realm="api", error="invalid_token", scope="orders:read", error_description="The access token is invalid"`

func TestSignedTokens(t *testing.T) {
	p := newProvider(t)
	s := guarded(t, "issuer "+p.issuer+"\nprofile at+jwt")
	p.start()
	var token string
	t.Run("R9068-1 R9068-3: a token of the provider has the profile of RFC 9068", func(t *testing.T) {
		token = p.token("robot", api)
		harness.Eventually(t, "the keys are fetched", func() bool { return s.Get("/", harness.Bearer(token)).Status == 200 })
		if got := s.Get("/", harness.Bearer(token)).Body; got != "hello robot" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("MCP-6 R9068-2: a token for another resource is refused", func(t *testing.T) {
		s.Get("/", harness.Bearer(p.token("robot", "https://other.example.com"))).Want(401, "invalid_token", invalid)
	})
	t.Run("JWT-5: the tokens of a new key are accepted", func(t *testing.T) {
		p.stop()
		p.newKeys()
		p.start()
		rotated := p.token("robot", api)
		// The key set is fetched for unknown keys once in 10 s, for all requests together.
		for deadline := time.Now().Add(time.Minute); s.Get("/", harness.Bearer(rotated)).Status != 200; time.Sleep(time.Second) {
			if time.Now().After(deadline) {
				t.Fatal("the new key is not fetched")
			}
		}
		token = rotated
	})
	t.Run("JWT-14: while the provider is down its tokens go on", func(t *testing.T) {
		p.stop()
		s.Get("/", harness.Bearer(token)).Want(200, "")
	})
}

func TestStartWithoutProvider(t *testing.T) {
	p := newProvider(t)
	p.start()
	token := p.token("robot", api)
	p.stop()
	s := guarded(t, "issuer "+p.issuer)
	t.Run("AVAIL-1: until the first key set the answer is 503, and no challenge", func(t *testing.T) {
		got := s.Get("/", harness.Bearer(token)).Want(503, "temporarily_unavailable")
		if got.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
	t.Run("AVAIL-1: when the provider comes up the same token is good", func(t *testing.T) {
		p.start()
		harness.Eventually(t, "the keys are fetched", func() bool { return s.Get("/", harness.Bearer(token)).Status == 200 })
	})
}

func TestOpaqueTokens(t *testing.T) {
	for name, endpoint := range map[string]string{"an endpoint": "ISSUER/token/introspection", "discovery": "auto"} {
		t.Run(name, func(t *testing.T) {
			p := newProvider(t)
			p.start()
			s := guarded(t, `
issuer `+p.issuer+`
introspection `+strings.Replace(endpoint, "ISSUER", p.issuer, 1)+` {
	client_id gateway
	client_secret gateway-secret-of-some-length
	cache 1s
}`)
			token := p.token("robot", api+"/opaque")
			if strings.Count(token, ".") == 2 {
				t.Fatal("that is a JWT")
			}
			t.Run("R7662-1: an opaque token lets its client in", func(t *testing.T) {
				harness.Eventually(t, "the endpoint is found", func() bool { return s.Get("/", harness.Bearer(token)).Status == 200 })
			})
			t.Run("R7662-1: beside it signed ones are verified here", func(t *testing.T) {
				signed := p.token("robot", api)
				harness.Eventually(t, "the keys are fetched", func() bool { return s.Get("/", harness.Bearer(signed)).Status == 200 })
			})
			t.Run("R7662-5: revoked, it is refused when its answer is too old", func(t *testing.T) {
				p.post("/token/revocation", "robot", url.Values{"token": {token}}, nil)
				harness.Eventually(t, "it is refused", func() bool { return s.Get("/", harness.Bearer(token)).Status == 401 })
				s.Get("/", harness.Bearer(token)).Want(401, "invalid_token", invalid)
			})
			t.Run("R7662-4: an endpoint that is down is 503", func(t *testing.T) {
				fresh := p.token("robot", api+"/opaque")
				p.stop()
				s.Get("/", harness.Bearer(fresh)).Want(503, "temporarily_unavailable")
			})
		})
	}
}
