package schemes

import (
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func cookieServer(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Start(t, config(`
		api_key session {
			from cookie sid
			from header X-API-Key
			key alice `+digest("key-of-a")+`
		}
		bearer corp {`+harness.BearerLines+`
			token_from cookie token
		}
		basic ops {
			user alice `+hash(t, "kept")+`
		}`, `
	auth_cors /trusted* https://web.example {
		credentials
		methods GET POST
	}
	auth_cors /readable* https://web.example
	auth_cors /all* *
	require_auth session corp ops
	respond "hello {http.auth.user.id}"`))
}

func site(value string) harness.Option { return harness.Header("Sec-Fetch-Site", value) }

func mode(value string) harness.Option { return harness.Header("Sec-Fetch-Mode", value) }

func socket(name string) harness.Option { return harness.Header("Upgrade", name) }

func TestCookieCrossSite(t *testing.T) {
	s := cookieServer(t)
	own := s.URL("")
	sid := cookie("sid=key-of-a")
	token := cookie("token=" + harness.Token(t))
	credential := harness.Basic("alice", "kept")
	for name, test := range map[string]struct {
		method, path string
		options      []harness.Option
		status       int
	}{
		"R6750-15: a form of another site":                            {"POST", "/", []harness.Option{sid, site("cross-site")}, 403},
		"R6750-15: a token cookie from another site":                  {"POST", "/", []harness.Option{token, site("cross-site")}, 403},
		"R6750-15: another host of the same site":                     {"POST", "/", []harness.Option{sid, site("same-site")}, 403},
		"R6750-15: another site that names its origin":                {"POST", "/", []harness.Option{sid, site("cross-site"), origin("https://evil.example")}, 403},
		"R6750-15: a foreign origin in an old browser":                {"POST", "/", []harness.Option{sid, origin("https://evil.example")}, 403},
		"R6750-15: the origin null":                                   {"POST", "/", []harness.Option{sid, origin("null")}, 403},
		"R6750-15: the own host on another port":                      {"POST", "/", []harness.Option{sid, origin("http://localhost:1")}, 403},
		"R6750-15: an unknown value of Sec-Fetch-Site":                {"POST", "/", []harness.Option{sid, site("elsewhere")}, 403},
		"R6750-15: PUT from another site":                             {"PUT", "/", []harness.Option{sid, site("cross-site")}, 403},
		"R6750-15: PATCH from another site":                           {"PATCH", "/", []harness.Option{sid, site("cross-site")}, 403},
		"R6750-15: DELETE from another site":                          {"DELETE", "/", []harness.Option{sid, site("cross-site")}, 403},
		"R6750-15: an unknown method from another site":               {"PURGE", "/", []harness.Option{sid, site("cross-site")}, 403},
		"R6750-15: a form of this site":                               {"POST", "/", []harness.Option{sid, site("same-origin"), origin(own)}, 200},
		"R6750-15: a user who typed the address":                      {"POST", "/", []harness.Option{sid, site("none")}, 200},
		"R6750-15: this site in an old browser":                       {"POST", "/", []harness.Option{sid, origin(own)}, 200},
		"R6750-15: a client that is not a browser":                    {"POST", "/", []harness.Option{sid}, 200},
		"R6750-15: a link from another site":                          {"GET", "/", []harness.Option{sid, site("cross-site")}, 200},
		"R6750-15: HEAD from another site":                            {"HEAD", "/", []harness.Option{sid, site("cross-site")}, 200},
		"R6750-15: a field that no browser adds by itself":            {"POST", "/", []harness.Option{key("key-of-a"), site("cross-site")}, 200},
		"R6750-15: an origin that auth_cors trusts by name":           {"POST", "/trusted", []harness.Option{sid, site("cross-site"), origin("https://web.example")}, 200},
		"R6750-15: an origin that auth_cors does not name":            {"POST", "/trusted", []harness.Option{sid, site("cross-site"), origin("https://evil.example")}, 403},
		"R6750-15: an origin named, with a method that is not":        {"DELETE", "/trusted", []harness.Option{sid, site("cross-site"), origin("https://web.example")}, 403},
		"R6750-15: no origin where auth_cors trusts one":              {"POST", "/trusted", []harness.Option{sid, site("cross-site")}, 403},
		"R6750-15: an origin that may read only":                      {"POST", "/readable", []harness.Option{sid, site("cross-site"), origin("https://web.example")}, 403},
		"R6750-15: an origin where all may read":                      {"POST", "/all", []harness.Option{sid, site("cross-site"), origin("https://web.example")}, 403},
		"CORS-12: a WebSocket of another site":                        {"GET", "/", []harness.Option{sid, socket("websocket"), origin("https://evil.example")}, 403},
		"CORS-12: a WebSocket of another site in capitals":            {"GET", "/", []harness.Option{sid, socket("WebSocket"), origin("https://evil.example")}, 403},
		"CORS-12: a WebSocket with Sec-Fetch-Site":                    {"GET", "/", []harness.Option{sid, socket("websocket"), site("cross-site")}, 403},
		"CORS-12: a WebSocket of the origin null":                     {"GET", "/", []harness.Option{sid, socket("websocket"), origin("null")}, 403},
		"CORS-12: a WebSocket of this site":                           {"GET", "/", []harness.Option{sid, socket("websocket"), origin(own)}, 200},
		"CORS-12: a WebSocket of no browser":                          {"GET", "/", []harness.Option{sid, socket("websocket")}, 200},
		"CORS-12: a WebSocket of an origin that auth_cors trusts":     {"GET", "/trusted", []harness.Option{sid, socket("websocket"), origin("https://web.example")}, 200},
		"R6750-15: a form of another site with a kept password":       {"POST", "/", []harness.Option{credential, site("cross-site"), mode("navigate")}, 403},
		"R6750-15: a picture of another site with a kept password":    {"POST", "/", []harness.Option{credential, site("cross-site"), mode("no-cors")}, 403},
		"R6750-15: a form of another host with a kept password":       {"POST", "/", []harness.Option{credential, site("same-site"), mode("navigate")}, 403},
		"R6750-15: a form of this site with a kept password":          {"POST", "/", []harness.Option{credential, site("same-origin"), mode("navigate")}, 200},
		"R6750-15: a link of another site with a kept password":       {"GET", "/", []harness.Option{credential, site("cross-site"), mode("navigate")}, 200},
		"R6750-15: a trusted site with a kept password":               {"POST", "/trusted", []harness.Option{credential, site("cross-site"), mode("navigate"), origin("https://web.example")}, 200},
		"R6750-15: a script of another site that knows a password":    {"POST", "/", []harness.Option{credential, site("cross-site"), mode("cors"), origin("https://web.example")}, 200},
		"R6750-15: a client that is not a browser, with its password": {"POST", "/", []harness.Option{credential, origin("https://web.example")}, 200},
		"CORS-12: a WebSocket of another site with a kept password":   {"GET", "/", []harness.Option{credential, socket("websocket"), mode("websocket"), site("cross-site")}, 403},
		"CORS-12: a WebSocket with a key in a field":                  {"GET", "/", []harness.Option{key("key-of-a"), socket("websocket"), origin("https://evil.example")}, 200},
	} {
		t.Run(name+verb(test.status), func(t *testing.T) {
			response := s.Do(test.method, s.URL(test.path), test.options...)
			if test.status == 200 {
				wantOK(t, response)
				return
			}
			want(t, response, 403, "access_denied")
		})
	}
	t.Run("CORS-12: a WebSocket without credentials gets a 401 before any 101", func(t *testing.T) {
		want(t, s.Get("/", socket("websocket"), harness.Header("Connection", "Upgrade")), 401, "missing_credentials",
			`Bearer realm="api"`, `Basic realm="api", charset="UTF-8"`, `ApiKey realm="api", in="cookie", name="sid"`)
	})
	t.Run("R6750-15: a bad cookie is a 401 wherever it comes from", func(t *testing.T) {
		for _, from := range []string{"cross-site", "same-origin"} {
			want(t, s.Do("POST", s.URL("/"), cookie("sid=nonsense"), site(from)), 401, "invalid_credentials",
				`Bearer realm="api"`, `Basic realm="api", charset="UTF-8"`, `ApiKey realm="api", in="cookie", name="sid"`)
		}
	})
	t.Run("R6750-15: the log says why", func(t *testing.T) {
		s.Do("POST", s.URL("/"), sid, site("cross-site"), harness.Header("X-Trace-Id", "look-here"))
		last := s.Decisions()[len(s.Decisions())-1]
		if last["trace_id"] != "look-here" || last["code"] != "access_denied" || last["reason"] != "a cookie came with a request from another site" {
			t.Errorf("record %v", last)
		}
	})
}

func verb(status int) string {
	if status == 200 {
		return " passes"
	}
	return " is refused without a challenge"
}
