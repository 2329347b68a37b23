package operations

import (
	"net/http"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestExplainHandlersBetween has handlers that change the credential before a gate
// and between gates. The explanation and the server have to agree.
func TestExplainHandlersBetween(t *testing.T) {
	p := harness.StartProvider(t)
	scheme := func(name string) string {
		return "bearer " + name + " {\nissuer " + harness.Issuer + "\naudience " + name + "\njwks " + p.KeySet() + "\ntoken_from header\ntoken_from query\ntoken_from cookie\n}\n"
	}
	s := harness.StartWithAdmin(t, "{\nauth {\n"+scheme("own")+scheme("team")+`}
}
:8080 {
	route /set {
		request_header Authorization "Bearer {header.X-Own}"
		require_auth own
		respond in
	}
	route /remove {
		request_header -Authorization
		require_auth own
		respond in
	}
	route /query {
		uri query access_token {header.X-Own}
		require_auth own
		respond in
	}
	route /cookie {
		request_header Cookie "access_token={header.X-Own}"
		require_auth own
		respond in
	}
	route /between {
		vars own {header.Authorization}
		request_header Authorization "Bearer {header.X-Team}"
		require_auth team
		request_header Authorization {vars.own}
		require_auth own
		respond in
	}
	route /stripped {
		require_auth own {
			strip_credentials
		}
		require_auth own
		request_header Authorization "Bearer {header.X-Team}"
		require_auth team
		respond "{header.Authorization}"
	}
	route /taken {
		require_auth own
		request_header -Authorization
		require_auth own
		respond in
	}
	route /twice {
		require_auth own {
			strip_credentials
		}
		request_header Authorization "Basic upstream"
		require_auth own {
			optional
		}
		respond "{header.Authorization}"
	}
}`)
	own, team := p.Token(harness.Claims{"aud": "own"}), p.Token(harness.Claims{"aud": "team"})
	for name, test := range map[string]struct {
		path   string
		header map[string]string
		status int
		body   string
	}{
		"a field that a handler sets":                        {"/set", map[string]string{"X-Own": own}, 200, "in"},
		"a field that a handler replaces by an invalid one":  {"/set", map[string]string{"Authorization": "Bearer " + own, "X-Own": "x"}, 401, ""},
		"a field that a handler removes":                     {"/remove", map[string]string{"Authorization": "Bearer " + own}, 401, ""},
		"a parameter that a handler sets":                    {"/query", map[string]string{"X-Own": own}, 200, "in"},
		"a cookie that a handler sets":                       {"/cookie", map[string]string{"X-Own": own}, 200, "in"},
		"two gates with a token each":                        {"/between", map[string]string{"Authorization": "Bearer " + own, "X-Team": team}, 200, "in"},
		"two gates with the token of the second":             {"/between", map[string]string{"Authorization": "Bearer " + own, "X-Team": own}, 401, ""},
		"a field that a gate strips, and a handler sets":     {"/stripped", map[string]string{"Authorization": "Bearer " + own, "X-Team": team}, 200, "Bearer " + team},
		"a field that is removed after it was judged":        {"/taken", map[string]string{"Authorization": "Bearer " + own}, 401, ""},
		"a field for the upstream that later gates leave be": {"/twice", map[string]string{"Authorization": "Bearer " + own}, 200, "Basic upstream"},
	} {
		t.Run(name, func(t *testing.T) {
			var options []harness.Option
			for field, value := range test.header {
				options = append(options, harness.Header(field, value))
			}
			served := s.Get(test.path, options...)
			if served.Status != test.status || test.body != "" && served.Body != test.body {
				t.Errorf("answered %d %q", served.Status, served.Body)
			}
			got := explainAt(t, s, map[string]any{"method": http.MethodGet, "url": test.path, "headers": test.header})
			if got.Answer == nil || got.Answer.Status != test.status {
				t.Errorf("explained %+v, reaches %q, skipped %q", got.Answer, got.Reaches, got.Skipped)
			}
		})
	}
}
