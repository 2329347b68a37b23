//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestSwaggerUI has the page where an application documents itself: its button
// "Authorize" is there because of the gate, not of the application.
func TestSwaggerUI(t *testing.T) {
	application := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/openapi.json" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"openapi": "3.0.3", "info": {"title": "Orders", "version": "1"}, "paths": {"/orders": {"get": {"responses": {"200": {"description": "all orders"}}}}}}`)
			return
		}
		fmt.Fprintf(w, "orders of %s", r.Header.Get("X-User"))
	}))
	t.Cleanup(application.Close)
	s := harness.Start(t, `
http://localhost:8080 {
	auth_openapi /openapi.json
	require_auth /orders {
		bearer {`+harness.BearerLines+`
		}
		scope orders:read
		forward X-User {http.auth.user.id}
	}
	handle /docs {
		root testdata
		rewrite /swagger.html
		file_server
	}
	handle_path /docs/* {
		root node_modules/swagger-ui-dist
		file_server
	}
	reverse_proxy `+strings.TrimPrefix(application.URL, "http://")+`
}
`)
	var got struct {
		Before, After struct {
			Status int
			Shown  string
		}
		Problems []string
	}
	drive(t, "swagger.mjs", map[string]any{
		"page": s.URL("/docs"), "token": harness.Token(t, harness.Claims{"scope": "orders:read"}),
	}, &got)
	t.Run("without authorization a call is 401, and the page shows it", func(t *testing.T) {
		if got.Before.Status != 401 || !strings.Contains(got.Before.Shown, "missing_credentials") {
			t.Errorf("%d\n%s", got.Before.Status, got.Before.Shown)
		}
	})
	t.Run("with the token from the button it is 200", func(t *testing.T) {
		if got.After.Status != 200 || !strings.Contains(got.After.Shown, "orders of alice") {
			t.Errorf("%d\n%s", got.After.Status, got.After.Shown)
		}
	})
	t.Run("the page has no errors", func(t *testing.T) {
		if len(got.Problems) > 0 {
			t.Error(got.Problems)
		}
	})
}
