package schemes

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestStripOnDenial looks at what the server of the error pages gets of a request
// that a gate with strip_credentials denies, whatever the reason.
func TestStripOnDenial(t *testing.T) {
	const key, session = "key-of-a", "SESSION-TOKEN"
	pages := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %q %q %s", r.URL.RequestURI(), r.Header, r.Trailer, body) // the client would see it
	})
	s := harness.Start(t, config(`
		attempts 1
		bearer corp {`+harness.BearerLines+`
			token_from header
			token_from query
			token_from cookie
			token_from form
		}
		bearer plain {`+harness.BearerLines+`
		}
		api_key partners {
			from header X-API-Key
			from query  api_key
			from cookie key
			key partner-a `+digest(key)+`
		}
		basic ops {
			user alice `+hash(t, "secret")+`
		}`, `
	rewrite /rewritten* /corp{uri}
	require_auth /corp* corp partners {
		strip_credentials
	}
	require_auth /partners* partners {
		strip_credentials
		scope none
	}
	require_auth /hidden* corp {
		strip_credentials
		hide all
	}
	require_auth /mcp plain {
		strip_credentials
		mcp
	}
	require_auth /ops ops {
		strip_credentials
	}
	handle_errors {
		rewrite * /page?{query}
		reverse_proxy `+pages+` {
			header_up X-Original {http.request.orig_uri}
		}
	}`))
	token, other := harness.Token(t), harness.Token(t, harness.Claims{"jti": "other"})
	form := func(value string) harness.Option { return harness.Body("application/x-www-form-urlencoded", value) }
	for name, test := range map[string]struct {
		method, path string
		options      []harness.Option
	}{
		"no credential that the gate accepts":  {"GET", "/partners", []harness.Option{harness.Bearer(token)}},
		"a key that is not good enough":        {"GET", "/partners?api_key=" + key, nil},
		"a key and a token for another gate":   {"GET", "/partners?access_token=" + token, []harness.Option{harness.Header("X-API-Key", key)}},
		"a token and a key":                    {"GET", "/corp", []harness.Option{harness.Bearer(token), harness.Header("X-API-Key", key)}},
		"two tokens":                           {"GET", "/corp?access_token=" + token, []harness.Option{harness.Bearer(other)}},
		"two tokens behind a rewrite":          {"GET", "/rewritten?access_token=" + token, []harness.Option{harness.Bearer(other)}},
		"two parameters":                       {"GET", "/corp?a=b&access_token=" + token + "&access%5ftoken=" + other, nil},
		"two Authorization fields":             {"GET", "/corp", []harness.Option{harness.Header("Authorization", "Bearer "+token), harness.Header("Authorization", "Bearer "+other)}},
		"joined credentials":                   {"GET", "/corp", []harness.Option{harness.Header("Authorization", "Bearer "+token+", Bearer "+other)}},
		"a cookie twice":                       {"GET", "/corp", []harness.Option{cookie("access_token=" + token + "; access_token=" + other)}},
		"cookies of two schemes":               {"GET", "/corp", []harness.Option{cookie("access_token=" + token + "; key=" + key)}},
		"a form and a field":                   {"POST", "/corp", []harness.Option{form("a=b&access_token=" + token), harness.Bearer(other)}},
		"a form of another scheme":             {"POST", "/partners", []harness.Option{form("access_token=" + token)}},
		"a cookie from another site":           {"POST", "/corp", []harness.Option{cookie("access_token=" + token), harness.Header("Sec-Fetch-Site", "cross-site")}},
		"a foreign origin at an mcp gate":      {"POST", "/mcp", []harness.Option{harness.Bearer(token), harness.Header("Origin", "https://stranger.example")}},
		"a hidden denial":                      {"GET", "/hidden?access_token=" + token + "&api_key=" + key, []harness.Option{harness.Bearer(other)}},
		"a password that is wrong":             {"GET", "/ops?api_key=" + key, []harness.Option{encoded("mallory:" + session)}},
		"a client that has to wait":            {"GET", "/ops?api_key=" + key, []harness.Option{encoded("mallory:" + session)}},
		"an OPTIONS request with a credential": {"OPTIONS", "/corp?access_token=" + token, []harness.Option{harness.Bearer(other), harness.Header("Origin", "https://web.example"), harness.Header("Access-Control-Request-Method", "GET")}},
		"a credential of an undeclared scheme": {"GET", "/corp", []harness.Option{harness.Header("Authorization", "Digest "+session)}},
	} {
		t.Run("R9110-18 KEY-5: error pages get no credential after "+name, func(t *testing.T) {
			got := s.Do(test.method, s.URL(test.path), test.options...)
			decisions := s.Decisions()
			if decision := decisions[len(decisions)-1]["decision"]; decision != "denied" || !strings.HasPrefix(got.Body, "/page") {
				t.Fatalf("decision %v, body %s", decision, got.Body)
			}
			for _, secret := range []string{token, other, key, session, "bWFsbG9y"} {
				if strings.Contains(got.Body, secret) {
					t.Errorf("%.12s… went on: %s", secret, got.Body)
				}
			}
		})
	}
}
