//go:build browser

package browser

import (
	"os"
	"path/filepath"
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
	Header map[string]string `json:"header,omitempty"`
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
		{Method: "readAsScript", URL: s.URL("/ops")},
		{Method: "readImage", URL: s.URL("/ops")},
		{URL: s.URL("/ops")},
		{URL: s.URL("/ops"), Answer: alice},
		{Method: "read", URL: s.URL("/ops")},
	}}, &results)
	if len(results) != 7 {
		t.Fatalf("%d results", len(results))
	}
	t.Run("BRW-1: the window opens for a script at basic_auth of Caddy, so the others could open it", func(t *testing.T) {
		if r := results[0]; len(r.Prompts) == 0 {
			t.Errorf("%+v", r)
		}
	})
	for i, cause := range map[int]string{1: "fetch", 3: "a picture"} {
		t.Run("BRW-2: "+cause+" gets the challenge of the page", func(t *testing.T) {
			if r := results[i]; !slices.Equal(r.Prompts, []string{"basic api"}) {
				t.Errorf("%+v", r)
			}
		})
	}
	t.Run("BRW-2: an XMLHttpRequest opens no window", func(t *testing.T) {
		r := results[2]
		if len(r.Prompts) != 0 || r.Status != 401 || r.Header["www-authenticate"] != `xBasic realm="api"` {
			t.Errorf("%+v", r)
		}
	})
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

// guide is a page whose files are in other folders. It reports which ones it could
// load.
const guide = `<!doctype html>
<link rel="stylesheet" href="/assets/a.css">
<script src="/assets/a.js"></script>
<script type="module" src="/modules/a.mjs"></script>
<img src="/pictures/a.svg">
<p>the guide</p>
<script>
const answer = fetch("/api/data.json").then((response) => response.ok);
async function loaded() {
	const all = {
		style: getComputedStyle(document.querySelector("p")).color === "rgb(255, 0, 0)", script: window.script === true,
		module: window.module === true, picture: document.images[0].naturalWidth === 10, fetch: await answer,
	};
	return Object.keys(all).filter((name) => all[name]);
}
</script>`

// TestDeepLink signs in on a page below the root, whose files are not below it.
func TestDeepLink(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"docs/guide/index.html": guide, "assets/a.css": "p { color: red }", "assets/a.js": "window.script = true", "modules/a.mjs": "window.module = true",
		"pictures/a.svg": `<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>`, "api/data.json": "{}",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := harness.Start(t, `{
	auth {
		basic ops {
			user alice `+hash(t, "correct horse")+`
		}
	}
}
http://localhost:8080 {
	require_auth
	root `+root+`
	file_server
}
`)
	alice := map[string]string{"username": "alice", "password": "correct horse"}
	all := []string{"style", "script", "module", "picture", "fetch"}
	for name, header := range map[string]map[string]string{
		"a browser": nil, "an Android WebView": {"X-Requested-With": "com.example.app"},
	} {
		t.Run("BRW-2: "+name+" loads all files of a page after one prompt", func(t *testing.T) {
			var results []response
			drive(t, "prompts.mjs", map[string]any{"page": "", "steps": []step{{URL: s.URL("/docs/guide/"), Answer: alice, Header: header}}}, &results)
			if r := results[0]; r.Status != 200 || !slices.Equal(r.Prompts, []string{"basic api"}) || !slices.Equal(r.Loaded, all) {
				t.Errorf("%+v", r)
			}
		})
	}
}
