//go:build browser

package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// step is a navigation, or a call of the page's script.
type step struct {
	Method string            `json:"method,omitempty"`
	URL    string            `json:"url"`
	Answer map[string]string `json:"answer,omitempty"`
}

func TestPasswordWindow(t *testing.T) {
	hashed := hash(t, "correct horse")
	s := harness.Start(t, `{
	auth {
		basic ops {
			user alice `+hashed+`
		}
	}
}
http://localhost:8080 {
	require_auth /ops {
		login_url /login
	}
	basic_auth /plain {
		alice `+hashed+`
	}
	root testdata
	handle /app.html {
		file_server
	}
	respond "welcome {http.auth.user.id}"
}
`)
	alice := map[string]string{"username": "alice", "password": "correct horse"}
	var results []response
	drive(t, "prompts.mjs", map[string]any{"page": s.URL("/app.html"), "steps": []step{
		{Method: "read", URL: s.URL("/plain")},
		{Method: "read", URL: s.URL("/ops")},
		{Method: "readXHR", URL: s.URL("/ops")},
		{Method: "readImage", URL: s.URL("/ops")},
		{URL: s.URL("/ops")},
		{URL: s.URL("/ops"), Answer: alice},
		{Method: "read", URL: s.URL("/ops")},
	}}, &results)
	if len(results) != 7 {
		t.Fatalf("%d results", len(results))
	}
	t.Run("BRW-1: the window opens for a script where nobody cares, so the others could open it", func(t *testing.T) {
		if r := results[0]; len(r.Prompts) == 0 {
			t.Errorf("%+v", r)
		}
	})
	for i, what := range []string{"fetch", "XMLHttpRequest", "a picture"} {
		t.Run("BRW-2: no window opens for "+what, func(t *testing.T) {
			r := results[i+1]
			if len(r.Prompts) != 0 {
				t.Errorf("%+v", r)
			}
			if what != "a picture" && (r.Status != 401 || r.Header["www-authenticate"] != `xBasic realm="api"`) {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("BRW-1: the window opens for a navigation, and who closes it sees the page", func(t *testing.T) {
		r := results[4]
		if !slices.Equal(r.Prompts, []string{"basic api"}) || r.Status != 401 || !strings.Contains(r.Body, "Sign in to continue") {
			t.Errorf("%+v", r)
		}
	})
	t.Run("BRW-1: who fills it in comes in", func(t *testing.T) {
		r := results[5]
		if !slices.Equal(r.Prompts, []string{"basic api"}) || r.Status != 200 || r.Body != "welcome alice" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("BRW-2: from then on scripts come in too", func(t *testing.T) {
		if r := results[6]; len(r.Prompts) != 0 || r.Status != 200 || r.Body != "welcome alice" {
			t.Errorf("%+v", r)
		}
	})
}
