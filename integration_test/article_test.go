// Package integration tests a running Caddy by the rules of a well-known article on 401
// and 403 in FastAPI. The project began with that article.
package integration

import (
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const article = `
{
	auth {
		realm off
		bearer corp {` + harness.BearerLines + `}
	}
}
http://localhost:8080 {
	require_auth /me
	require_auth /admin {
		scope admin
	}
	respond "hello {http.auth.user.id}"
}
`

// TestArticle has the three tests that the article ends with.
func TestArticle(t *testing.T) {
	s := harness.Start(t, article)
	t.Run("no token is 401 with a challenge", func(t *testing.T) {
		s.Get("/me").Want(401, "missing_credentials", "Bearer")
	})
	t.Run("a good token is 200", func(t *testing.T) {
		if got := s.Get("/me", harness.Bearer(harness.Token(t))).Want(200, ""); got.Body != "hello alice" {
			t.Errorf("body %q", got.Body)
		}
	})
	t.Run("a good token without the scope is 403", func(t *testing.T) {
		s.Get("/admin", harness.Bearer(harness.Token(t, harness.Claims{"scope": "read"}))).Want(403, "insufficient_scope",
			`Bearer error="insufficient_scope", scope="admin", error_description="The access token lacks a required scope"`)
	})
}
