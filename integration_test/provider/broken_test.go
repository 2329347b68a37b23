package provider

import (
	"crypto/ecdsa"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestBrokenProviders has one gate for each way to be of no use: none of them
// is the fault of the client, so all are 503.
func TestBrokenProviders(t *testing.T) {
	victim := newProvider(t, "").up() // a provider that nobody has configured
	toVictim := func(path string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, victim.origin()+path, http.StatusFound)
		}
	}
	const jsonType = "application/json"
	huge := `{"keys":[],"more":"` + strings.Repeat("a", 2<<20) + `"}`
	cases := []struct {
		name  string
		spoil func(p *provider)
	}{
		{"AVAIL-1: the metadata are 500", func(p *provider) { p.answer(rfc8414, text(500, jsonType, "{}")) }},
		{"AVAIL-1: the metadata hang", func(p *provider) { p.answer(rfc8414, p.hang) }},
		{"AVAIL-1: the key set hangs", func(p *provider) { p.answer(keysPath, p.hang) }},
		{"AVAIL-1: the key set is 500", func(p *provider) { p.answer(keysPath, text(500, jsonType, "{}")) }},
		{"AVAIL-1: the key set is 401 with a challenge", func(p *provider) {
			p.answer(keysPath, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("WWW-Authenticate", `Basic realm="internal"`)
				w.WriteHeader(http.StatusUnauthorized)
			})
		}},
		{"R8414-1: the metadata are no JSON by their type", func(p *provider) {
			p.answer(rfc8414, documentOf("text/html", map[string]any{"issuer": p.issuer(), "jwks_uri": p.origin() + keysPath}))
		}},
		{"R8414-1: the metadata are no JSON by their content", func(p *provider) { p.answer(rfc8414, text(200, jsonType, "<html>")) }},
		{"R8414-1: the metadata are good and the status is not", func(p *provider) {
			p.answer(rfc8414, text(404, jsonType, fmt.Sprintf(`{"issuer":%q,"jwks_uri":%q}`, p.issuer(), p.origin()+keysPath)))
		}},
		{"R8414-1: the key set is elsewhere without https", func(p *provider) {
			p.answer(rfc8414, p.metadata(map[string]any{"jwks_uri": "http://idp.example.com/keys"}))
		}},
		{"R8414-1: the key set is a file", func(p *provider) {
			p.answer(rfc8414, p.metadata(map[string]any{"jwks_uri": "file:///etc/passwd"}))
		}},
		{"R8414-1: the metadata name no key set", func(p *provider) { p.answer(rfc8414, p.metadata(map[string]any{"jwks_uri": ""})) }},
		{"R8414-1: the metadata lead to another origin", func(p *provider) { p.answer(rfc8414, toVictim(rfc8414)) }},
		{"R8414-1: the key set leads to another origin", func(p *provider) { p.answer(keysPath, toVictim(keysPath)) }},
		{"R8414-4: another issuer", func(p *provider) { p.answer(rfc8414, p.metadata(map[string]any{"issuer": victim.issuer()})) }},
		{"R8414-4: a slash at the end", func(p *provider) { p.answer(rfc8414, p.metadata(map[string]any{"issuer": p.issuer() + "/"})) }},
		{"R8414-4: another letter case", func(p *provider) {
			p.answer(rfc8414, p.metadata(map[string]any{"issuer": strings.ToUpper(p.issuer())}))
		}},
		{"R8414-4: another name of the host", func(p *provider) {
			p.answer(rfc8414, p.metadata(map[string]any{"issuer": strings.Replace(p.issuer(), "127.0.0.1", "localhost", 1)}))
		}},
		{"R8414-4: no issuer", func(p *provider) { p.answer(rfc8414, p.metadata(map[string]any{"issuer": nil})) }},
		{"R8414-4: a list of issuers", func(p *provider) { p.answer(rfc8414, p.metadata(map[string]any{"issuer": []string{p.issuer()}})) }},
		{"JWT-14: the key set is a page", func(p *provider) { p.answer(keysPath, text(200, "text/html", "<html>maintenance</html>")) }},
		{"JWT-14: the key set is empty", func(p *provider) { p.publish(nil) }},
		{"JWT-14: the key set is too large", func(p *provider) { p.answer(keysPath, text(200, jsonType, huge)) }},
		{"JWT-14: there are only keys for encryption", func(p *provider) {
			p.answer(keysPath, documentOf(jsonType, map[string]any{"keys": []any{public(t, p.key, map[string]any{"kid": "k1", "use": "enc"})}}))
		}},
		{"JWT-14: there are only secrets", func(p *provider) {
			p.answer(keysPath, text(200, jsonType, `{"keys":[{"kty":"oct","kid":"k1","k":"YS1zZWNyZXQtZm9yLXRlc3RzLW9mLTMyLWJ5dGVzLW9yLW1vcmUhIQ"}]}`))
		}},
	}
	providers := make([]*provider, len(cases))
	var schemes, gates strings.Builder
	for i, tc := range cases {
		providers[i] = newProvider(t, "")
		tc.spoil(providers[i])
		providers[i].up()
		schemes.WriteString(scheme(fmt.Sprintf("p%d", i), "issuer "+providers[i].issuer()))
		fmt.Fprintf(&gates, "require_auth /%d p%d\n", i, i)
	}
	s := harness.Start(t, configure(schemes.String(), gates.String()+"respond ok"))
	t.Run("each", func(t *testing.T) {
		for i, tc := range cases {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				path, began := fmt.Sprintf("/%d", i), time.Now()
				unavailable(t, s.Get(path, providers[i].token()))
				if took := time.Since(began); took > 6*time.Second {
					t.Errorf("the client waited %s", took)
				}
				want(t, s.Get(path), 401, "missing_credentials", bare)
			})
		}
	})
	t.Run("R8414-1: nobody was asked who was not named", func(t *testing.T) {
		if asked := victim.requests(); len(asked) > 0 {
			t.Errorf("asked for %q", asked)
		}
	})
	t.Run("R8414-4: a document of another issuer is logged", func(t *testing.T) {
		if !strings.Contains(s.LogText(), "another issuer") {
			t.Error("it is not")
		}
	})
}

// TestMixedKeySet has keys of no use among those that are.
func TestMixedKeySet(t *testing.T) {
	p := newProvider(t, "").up()
	encryption, second := newKey(t), newKey(t)
	p.answer(keysPath, documentOf("text/plain", map[string]any{"keys": []any{
		public(t, encryption, map[string]any{"kid": "enc", "use": "enc"}),
		map[string]any{"kty": "oct", "kid": "secret", "k": "AAAA"}, map[string]any{"kty": "new", "kid": "new"}, "nonsense",
		public(t, p.key, map[string]any{"kid": "k1", "use": "sig", "alg": "ES256"}),
		public(t, second, map[string]any{"kid": "k2"}),
	}}))
	s := harness.Start(t, discovered(p))
	t.Run("JWT-14: the good keys of a set count", func(t *testing.T) {
		want(t, s.Get("/", p.token()), 200, "")
		want(t, s.Get("/", p.signed(second, "k2")), 200, "")
	})
	t.Run("JWT-14: a key for encryption verifies nothing", func(t *testing.T) {
		want(t, s.Get("/", p.signed(encryption, "enc")), 401, "invalid_token", invalid)
	})
	t.Run("JWT-3: the key of another id is not tried", func(t *testing.T) {
		for id, key := range map[string]*ecdsa.PrivateKey{"k1": second, "k2": p.key} {
			want(t, s.Get("/", p.signed(key, id)), 401, "invalid_token", invalid)
		}
	})
}
