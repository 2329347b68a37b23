package answers

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// everyLocation declares schemes that look for their credentials at all places.
var everyLocation = strings.Replace(schemes, harness.BearerLines, harness.BearerLines+`
	dpop optional
	token_from header
	token_from query access_token
	token_from cookie token
	token_from form access_token
`, 1)

// TestOversized has credentials over 16 KiB in all places of all schemes.
func TestOversized(t *testing.T) {
	s := harness.Start(t, configure("servers {\nmax_header_size 64KiB\n}", everyLocation, `
		require_auth /all corp ops partners
		require_auth /bearer corp
		require_auth /basic ops
		require_auth /key partners
		require_auth /optional corp ops partners {
			optional
		}
		require_auth /hide corp ops partners {
			hide
		}
		require_auth /hide-all corp ops partners {
			hide all
		}
		respond in
	`))
	locations := map[string]func(value string) (path string, options []harness.Option){
		"Bearer":            inHeader("Authorization", "Bearer "),
		"DPoP":              inHeader("Authorization", "DPoP "),
		"Basic":             inHeader("Authorization", "Basic "),
		"an unknown scheme": inHeader("Authorization", "Digest "),
		"a field of keys":   inHeader("X-API-Key", ""),
		"a cookie":          inHeader("Cookie", "a=b; token="),
		"a cookie of keys":  inHeader("Cookie", "api_key="),
		"the query":         func(value string) (string, []harness.Option) { return "?access_token=" + value, nil },
		"a query of keys":   func(value string) (string, []harness.Option) { return "?api_key=" + value, nil },
		"a form": func(value string) (string, []harness.Option) {
			return "", []harness.Option{harness.Body(form, url.Values{"access_token": {value}}.Encode())}
		},
	}
	for name, at := range locations {
		query, over := at(strings.Repeat("a", authn.MaxCredential+1))
		send := func(path string, options ...harness.Option) *harness.Response {
			return s.Do(http.MethodPost, s.URL(path+query), append(options, over...)...)
		}
		t.Run("COST-1: a credential of 16 KiB and a byte in "+name+" is 431, without a challenge", func(t *testing.T) {
			want(t, send("/all"), http.StatusRequestHeaderFieldsTooLarge, "invalid_request")
			want(t, send("/optional"), http.StatusRequestHeaderFieldsTooLarge, "invalid_request")
			want(t, send("/hide"), http.StatusRequestHeaderFieldsTooLarge, "invalid_request")
			want(t, send("/hide-all"), http.StatusNotFound, "")
			if page := send("/all", harness.Header("Accept", "text/html")); page.Status != 431 || !strings.Contains(page.Body, "Your sign-in is too large") {
				t.Errorf("the page is %d %s", page.Status, page.Body)
			}
		})
		t.Run("COST-1: one of 16 KiB in "+name+" is judged", func(t *testing.T) {
			query, fits := at(strings.Repeat("a", authn.MaxCredential))
			if answer := s.Do(http.MethodPost, s.URL("/all"+query), fits...); answer.Status != 401 || len(answer.Challenges()) == 0 {
				t.Errorf("the answer is %d with %q", answer.Status, answer.Challenges())
			}
		})
	}
	for path, field := range map[string]string{"/bearer": "Bearer ", "/basic": "Basic "} {
		t.Run("COST-1: at "+path+" the record says why", func(t *testing.T) {
			want(t, s.Get(path, harness.Header("Authorization", field+strings.Repeat("a", 17<<10))), http.StatusRequestHeaderFieldsTooLarge, "invalid_request")
			if last := s.Decisions()[len(s.Decisions())-1]; last["status"] != 431.0 || last["reason"] != "the credential is over 16 KiB" {
				t.Errorf("the record is %v", last)
			}
		})
	}
}

// inHeader puts a value behind a prefix into a field.
func inHeader(name, prefix string) func(string) (string, []harness.Option) {
	return func(value string) (string, []harness.Option) {
		return "", []harness.Option{harness.Header(name, prefix+value)}
	}
}
