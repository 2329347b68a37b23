package answers

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestRecordsNameTheFoundValue has denials whose cause is on the side of whoever
// configured the client, the provider or the gate: the record leads there.
func TestRecordsNameTheFoundValue(t *testing.T) {
	s := harness.Start(t, bearerSite("require_auth\nrespond ok"))
	token := harness.Token(t)
	encrypted := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","enc":"A256GCM"}`)) + "..aaaa.bbbb.cccc"
	header := func(name string, value any) string {
		return harness.Sign(t, jwa.HS256, []byte(harness.Secret), map[string]any{name: value})
	}
	authorization := func(value string) []harness.Option { return with(harness.Header("Authorization", value)) }
	now := time.Now()
	for name, test := range map[string]struct {
		options []harness.Option
		want    map[string]string // parts of fields
	}{
		"issuer": {with(tokenWithClaims(t, harness.Claims{"iss": "http://adfs.example.com/trust"})), map[string]string{
			"reason": "iss is not the configured issuer", "expected": harness.Issuer, "found": "http://adfs.example.com/trust"}},
		"no issuer":                           {with(tokenWithClaims(t, harness.Claims{"iss": nil})), map[string]string{"found": "none"}},
		"audiences":                           {with(tokenWithClaims(t, harness.Claims{"aud": []string{"a", "b"}})), map[string]string{"expected": harness.Audience, "found": `["a","b"]`}},
		"a long audience":                     {with(tokenWithClaims(t, harness.Claims{"aud": strings.Repeat("a", 5000)})), map[string]string{"found": strings.Repeat("a", 200) + "…"}},
		"an audience that could forge a line": {with(tokenWithClaims(t, harness.Claims{"aud": "a\n{\"decision\""})), map[string]string{"found": `a.{"decision"`}},
		"a token in the place of an issuer":   {with(tokenWithClaims(t, harness.Claims{"iss": token})), map[string]string{"found": "may be a token"}},
		"typ":                                 {with(harness.Bearer(header("typ", "logout+jwt"))), map[string]string{"found": "logout+jwt"}},
		"kind by a claim":                     {with(tokenWithClaims(t, harness.Claims{"token_use": "id"})), map[string]string{"found": "id", "expected": "access"}},
		"expired":                             {with(tokenWithClaims(t, harness.Claims{"exp": now.Add(-2 * time.Hour).Unix()})), map[string]string{"reason": "expired at", "off_by": "2h0m"}},
		"not yet":                             {with(tokenWithClaims(t, harness.Claims{"nbf": now.Add(3*time.Hour + time.Minute).Unix()})), map[string]string{"reason": "nbf is in the future", "off_by": "3h"}},
		"encrypted":                           {with(harness.Bearer(encrypted)), map[string]string{"reason": "encrypted (JWE)"}},
		"four dots, and no header of an encrypted one": {with(harness.Bearer("a.b.c.d.e")), map[string]string{"reason": "not three parts"}},
		"no scheme":            {authorization(token), map[string]string{"found": "Authorization with one word"}},
		"a key, no scheme":     {authorization("secretkey"), map[string]string{"found": "Authorization with one word"}},
		"another scheme":       {authorization("Token " + token), map[string]string{"found": "the scheme Token"}},
		"a scheme with digits": {authorization("AWS4-HMAC-SHA256 Credential=a"), map[string]string{"found": "AWS4-HMAC-SHA256"}},
		"a colon":              {authorization("Bearer: " + token), map[string]string{"found": "the scheme Bearer:"}},
		"a key before it":      {authorization("k3y4sd8f " + token), map[string]string{"found": "something else"}},
		"the scheme twice":     {authorization("Bearer Bearer " + token), map[string]string{"reason": "may repeat the word Bearer"}},
	} {
		t.Run("R9457-3: the record tells "+name, func(t *testing.T) {
			if got := s.Get("/", test.options...).Status; got != http.StatusUnauthorized {
				t.Errorf("status %d", got)
			}
			record := decisionsByPath(t, s)
			for field, part := range test.want {
				if got, _ := record[field].(string); !strings.Contains(got, part) || len(got) > 250 {
					t.Errorf("%s: %q, want %q", field, got, part)
				}
			}
		})
	}
	for _, part := range append(strings.Split(token, "."), "secretkey", "k3y4sd8f") {
		if strings.Contains(s.LogText(), part) {
			t.Errorf("the log has %s", part)
		}
	}
}

// TestRecordsOfKeys has tokens that no key can fit.
func TestRecordsOfKeys(t *testing.T) {
	p := harness.StartProvider(t)
	set := strings.Replace(string(p.Document()), "[", `[{"kty":"EC","kid":"x5c-1","x5c":["AA=="]},{"kty":"RSA","use":"enc","kid":"enc-1","n":"AA","e":"AQAB"},`, 1)
	p.Answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, set) })
	s := harness.Start(t, "{\nauth {\nbearer corp {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+p.KeySet()+"\n}\n}\n}\n:8080 {\nrequire_auth\nrespond ok\n}")
	signed := func(header map[string]any) string {
		return harness.Sign(t, jwa.ES256, p.Key(harness.DefaultKeyID), header)
	}
	if got := s.Get("/", harness.Bearer(signed(map[string]any{"kid": "key-1", "nonce": "n"}))).Status; got != http.StatusOK {
		t.Fatalf("a nonce that is signed as it stands: status %d", got)
	}
	parts := strings.SplitN(signed(map[string]any{"kid": "key-1", "nonce": "hashed"}), ".", 2)
	graph := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","kid":"key-1","nonce":"plain"}`)) + "." + parts[1]
	for name, test := range map[string]struct{ token, reason string }{
		"a token for Microsoft Graph":          {graph, "Microsoft Graph"},
		"a published key that is not complete": {signed(map[string]any{"kid": "x5c-1"}), `the published key cannot be used: key 1: kid "x5c-1"`},
		"a published key of another use":       {signed(map[string]any{"kid": "enc-1"}), "its use is"},
	} {
		t.Run("JWT-14: "+name, func(t *testing.T) {
			if got := s.Get("/", harness.Bearer(test.token)).Status; got != http.StatusUnauthorized {
				t.Errorf("status %d", got)
			}
			if got, _ := decisionsByPath(t, s)["reason"].(string); !strings.Contains(got, test.reason) {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
		})
	}
}

// TestNonceOfAccessTokens has the tokens of authentik and Azure AD B2C, which
// repeat the nonce of the login.
func TestNonceOfAccessTokens(t *testing.T) {
	s := harness.Start(t, bearerSite("require_auth\nrespond ok"))
	for _, claim := range []string{"scope", "scp", "azp", "uid", "client_id"} {
		t.Run("JWT-13: a nonce beside "+claim, func(t *testing.T) {
			for value, want := range map[string]int{"x": http.StatusOK, "": http.StatusUnauthorized} {
				if got := s.Get("/", tokenWithClaims(t, harness.Claims{"nonce": "n", claim: value})).Status; got != want {
					t.Errorf("%q: status %d, want %d", value, got, want)
				}
			}
			if got := s.Get("/", tokenWithClaims(t, harness.Claims{"nonce": "n", "at_hash": "h", claim: "x"})).Status; got != http.StatusUnauthorized {
				t.Errorf("beside at_hash: status %d", got)
			}
		})
	}
	if got := s.Get("/", tokenWithClaims(t, harness.Claims{"nonce": "n"})).Status; got != http.StatusUnauthorized {
		t.Errorf("alone: status %d", got)
	}
}
