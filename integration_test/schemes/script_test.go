package schemes

import (
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const silentChallenge = `xBasic realm="api"`

func TestScripts(t *testing.T) {
	s := mixedServer(t)
	mode := func(value string) harness.Option { return harness.Header("Sec-Fetch-Mode", value) }
	for name, option := range map[string]harness.Option{
		"X-Requested-With":          harness.Header("X-Requested-With", "XMLHttpRequest"),
		"Sec-Fetch-Mode: cors":      mode("cors"),
		"Sec-Fetch-Mode: no-cors":   mode("no-cors"),
		"Sec-Fetch-Mode: websocket": mode("websocket"),
		"same-origin":               mode("same-origin"),
	} {
		t.Run("BRW-2: with "+name+" Basic is dropped where there are others", func(t *testing.T) {
			want(t, s.Get("/all", option), 401, "missing_credentials", bearerChallenge, keyChallenge)
			want(t, s.Get("/two", option), 401, "missing_credentials", keyChallenge)
		})
		t.Run("BRW-2: with "+name+" Basic alone is sent under a name that opens no window", func(t *testing.T) {
			want(t, s.Get("/ops", option), 401, "missing_credentials", silentChallenge)
		})
		t.Run("BRW-2: with "+name+" a wrong password opens no window either", func(t *testing.T) {
			want(t, s.Get("/ops", option, encoded("alice:wrong")), 401, "invalid_credentials", silentChallenge)
			want(t, s.Get("/all", option, encoded("alice:wrong")), 401, "invalid_credentials", bearerChallenge, keyChallenge)
		})
		t.Run("BRW-2: with "+name+" a good password still comes in", func(t *testing.T) {
			wantOK(t, s.Get("/ops", option, encoded("alice:secret")))
		})
	}
	t.Run("BRW-1: a navigation gets the challenge that opens the window", func(t *testing.T) {
		want(t, s.Get("/ops", mode("navigate")), 401, "missing_credentials", basicChallenge)
		want(t, s.Get("/all", mode("navigate")), 401, "missing_credentials", bearerChallenge, basicChallenge, keyChallenge)
	})
	t.Run("BRW-1: so does a client that is no browser", func(t *testing.T) {
		want(t, s.Get("/ops"), 401, "missing_credentials", basicChallenge)
	})
	t.Run("R9110-1: HEAD of a script has its challenge too", func(t *testing.T) {
		want(t, s.Do("HEAD", s.URL("/ops"), mode("cors")), 401, "", silentChallenge)
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
