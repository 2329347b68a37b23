package schemes

import (
	"net/http"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const silentChallenge = `xBasic realm="api"`

func TestScripts(t *testing.T) {
	s := mixedServer(t)
	mode := func(value string) harness.Option { return harness.Header("Sec-Fetch-Mode", value) }
	script := harness.Header("X-Requested-With", "XMLHttpRequest")
	both := func(options ...harness.Option) harness.Option {
		return func(r *http.Request) {
			for _, option := range options {
				option(r)
			}
		}
	}
	for name, option := range map[string]harness.Option{
		"alone": script, "and Sec-Fetch-Mode: cors": both(script, mode("cors")), "and Sec-Fetch-Mode: same-origin": both(script, mode("same-origin")),
	} {
		t.Run("BRW-2: an XMLHttpRequest "+name+" gets no Basic challenge where there are others", func(t *testing.T) {
			want(t, s.Get("/all", option), 401, "missing_credentials", bearerChallenge, keyChallenge)
			want(t, s.Get("/two", option), 401, "missing_credentials", keyChallenge)
		})
		t.Run("BRW-2: an XMLHttpRequest "+name+" gets a lone Basic challenge under a name that opens no window", func(t *testing.T) {
			want(t, s.Get("/ops", option), 401, "missing_credentials", silentChallenge)
		})
		t.Run("BRW-2: an XMLHttpRequest "+name+" with a wrong password opens no window either", func(t *testing.T) {
			want(t, s.Get("/ops", option, encoded("alice:wrong")), 401, "invalid_credentials", silentChallenge)
			want(t, s.Get("/all", option, encoded("alice:wrong")), 401, "invalid_credentials", bearerChallenge, keyChallenge)
		})
		t.Run("BRW-2: an XMLHttpRequest "+name+" with a good password comes in", func(t *testing.T) {
			wantOK(t, s.Get("/ops", option, encoded("alice:secret")))
		})
	}
	for name, option := range map[string]harness.Option{
		"a client without these fields":             both(),
		"a navigation":                              mode("navigate"),
		"a script element":                          both(mode("no-cors"), harness.Header("Sec-Fetch-Dest", "script")),
		"a font":                                    both(mode("cors"), harness.Header("Sec-Fetch-Dest", "font")),
		"a fetch":                                   both(mode("cors"), harness.Header("Sec-Fetch-Dest", "empty")),
		"a fetch of its own origin":                 mode("same-origin"),
		"a WebSocket":                               mode("websocket"),
		"a page in an Android WebView":              both(harness.Header("X-Requested-With", "com.example.app"), mode("navigate")),
		"a page in an old Android WebView":          harness.Header("X-Requested-With", "com.example.app"),
		"a script of a page in an Android WebView":  both(harness.Header("X-Requested-With", "com.example.app"), mode("cors")),
		"a navigation with the XMLHttpRequest mark": both(script, mode("navigate")),
		"an empty X-Requested-With":                 harness.Header("X-Requested-With", ""),
	} {
		t.Run("BRW-2: "+name+" gets the plain Basic challenge", func(t *testing.T) {
			want(t, s.Get("/ops", option), 401, "missing_credentials", basicChallenge)
			want(t, s.Get("/ops", option, encoded("alice:wrong")), 401, "invalid_credentials", basicChallenge)
			want(t, s.Get("/all", option), 401, "missing_credentials", bearerChallenge, basicChallenge, keyChallenge)
		})
	}
	t.Run("R9110-1: HEAD of a script has its challenge too", func(t *testing.T) {
		want(t, s.Do("HEAD", s.URL("/ops"), script), 401, "", silentChallenge)
	})
}

func TestLoginPage(t *testing.T) {
	s := harness.Start(t, config(mixedLines(t), `
	auth_cors https://web.example
	require_auth ops corp {
		login_url https://login.example/
	}
	respond hello`))
	for _, mode := range []string{"cors", "navigate"} {
		t.Run("CORS-9: nobody is redirected to a login page with Sec-Fetch-Mode "+mode, func(t *testing.T) {
			response := s.Get("/", origin("https://web.example"), harness.Header("Sec-Fetch-Mode", mode), harness.Header("Accept", "text/html"))
			if response.Status != 401 || response.Header["Location"] != nil || response.Header["Refresh"] != nil {
				t.Errorf("status %d, header %v", response.Status, response.Header)
			}
		})
	}
}
