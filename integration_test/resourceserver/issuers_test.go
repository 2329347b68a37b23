package resourceserver

import (
	"fmt"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestIssuers has many issuers at one gate, one of which issues opaque tokens.
func TestIssuers(t *testing.T) {
	endpoint := newIssuer(t, map[string]map[string]any{"opaque-1": {"active": true, "sub": "olga", "aud": harness.Audience}})
	var schemes, names strings.Builder
	for i := range 50 {
		fmt.Fprintf(&names, "tenant%d ", i)
		fmt.Fprintf(&schemes, `
		bearer tenant%d {
			issuer https://idp.example.com/%d
			audience %s
			hmac_secret %s
		}`, i, i, harness.Audience, harness.Secret)
	}
	s := harness.Start(t, `
{
	auth {
		realm api`+schemes.String()+`
		bearer asked {
			audience `+harness.Audience+`
			introspection `+endpoint.URL+` {
				client_id gateway
				client_secret hush
			}
		}
	}
}
http://localhost:8080 {
	require_auth /all `+names.String()+` asked {
		forward X-User {http.auth.scheme}/{http.auth.user.id}
	}
	require_auth /signed `+names.String()+`
	respond "{header.X-User}"
}
`)
	invalid := `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`
	for i := range 50 {
		t.Run(fmt.Sprintf("JWT-8: a token of issuer %d is judged by its scheme", i), func(t *testing.T) {
			token := harness.Token(t, harness.Claims{"iss": fmt.Sprintf("https://idp.example.com/%d", i)})
			got := s.Get("/all", harness.Bearer(token)).Want(200, "")
			if want := fmt.Sprintf("tenant%d/alice", i); got.Body != want {
				t.Errorf("got %q, want %q", got.Body, want)
			}
		})
	}
	t.Run("JWT-8: an opaque token is asked about, beside issuers of signed ones", func(t *testing.T) {
		if got := s.Get("/all", harness.Bearer("opaque-1")).Want(200, ""); got.Body != "asked/olga" {
			t.Errorf("got %q", got.Body)
		}
		s.Get("/all", harness.Bearer("opaque-2")).Want(401, "invalid_token", invalid)
	})
	t.Run("JWT-8: what belongs to no issuer is refused, once", func(t *testing.T) {
		for name, token := range map[string]string{
			"another issuer":  harness.Token(t, harness.Claims{"iss": "https://idp.example.com/50"}),
			"none":            harness.Token(t, harness.Claims{"iss": nil}),
			"no signed token": "opaque-1",
			"nothing like it": "a.b.c",
		} {
			if got := s.Get("/signed", harness.Bearer(token)); got.Status != 401 {
				t.Errorf("%s: %d", name, got.Status)
			} else {
				got.Want(401, "invalid_token", invalid)
			}
		}
	})
}
