package attacks

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// endpoint is an issuer's, who is asked about opaque tokens and answers what the
// test says (RFC 7662).
type endpoint struct {
	*target
	answers map[string]string // token to members of an active answer
}

// newEndpoint guards the whole site by an issuer who has a key for JWTs, too.
func newEndpoint(t *testing.T, lines string) *endpoint {
	t.Helper()
	e := &endpoint{target: &target{keys: issuerKeys()}, answers: make(map[string]string)}
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `{"active":false}`
		if members, known := e.answers[r.PostFormValue("token")]; known {
			answer = `{"active":true,"aud":"` + harness.Audience + `",` + members + `}`
		}
		_, _ = w.Write([]byte(answer)) // who does not read it gets 503
	}))
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		e.reached.Add(1)
		e.user.Store(r.Header.Get("X-User"))
	}))
	t.Cleanup(issuer.Close)
	t.Cleanup(upstream.Close)
	e.Server = harness.StartWithAdmin(t, "{\nauto_https off\nauth {\nrealm api\nbearer {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+
		"\nkey_file "+e.pem(t, t.TempDir(), "rs", &e.rsa.PublicKey)+"\n"+lines+"\nintrospection "+issuer.URL+" {\nclient_id gateway\nclient_secret hush\n}\n}\n}\n}\n"+
		"http://localhost:8080 {\nrequire_auth {\nforward X-User {http.auth.user.id}\n}\nreverse_proxy "+upstream.Listener.Addr().String()+"\n}")
	return e
}

// TestRevokedOpaque has opaque tokens revoked for which the endpoint names no issuer.
// The member is optional (RFC 7662 §2.2), and the token is then one of the configured
// issuer.
func TestRevokedOpaque(t *testing.T) {
	for name, test := range map[string]struct{ members, revoked string }{
		"by its jti at the issuer":  {`"sub":"alice","jti":"1"`, `{"jti":"1","issuer":"` + harness.Issuer + `"}`},
		"by its sub at the issuer":  {`"sub":"alice"`, `{"sub":"alice","issuer":"` + harness.Issuer + `"}`},
		"by its sub, iss is named":  {`"sub":"alice","iss":"` + harness.Issuer + `"`, `{"sub":"alice","issuer":"` + harness.Issuer + `"}`},
		"by its sub at every one":   {`"sub":"alice"`, `{"sub":"alice"}`},
		"by its text, as it stands": {`"sub":"alice"`, `{"token":"opaque"}`},
		"by a jti that is a number": {`"sub":"alice","jti":9007199254740993`, `{"jti":"9007199254740993"}`},
	} {
		t.Run("revoked: "+name, func(t *testing.T) {
			e := newEndpoint(t, "")
			e.answers["opaque"], e.answers["other"] = test.members, `"sub":"bob","jti":"2"`
			e.accepts(t, "/", "opaque")
			if r := e.Do("POST", e.AdminURL("/auth/revocations"), harness.Body("application/json", test.revoked)); r.Status != 200 {
				t.Fatal(r.Status, r.Body)
			}
			if r := e.Get("/", harness.Bearer("opaque")); r.Status != 401 || r.Problem().Code != "revoked_token" {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			e.accepts(t, "/", "other")
		})
	}
	t.Run("not revoked: of another issuer", func(t *testing.T) {
		e := newEndpoint(t, "")
		e.answers["opaque"] = `"sub":"alice"`
		if r := e.Do("POST", e.AdminURL("/auth/revocations"), harness.Body("application/json", `{"sub":"alice","issuer":"https://other.example"}`)); r.Status != 200 {
			t.Fatal(r.Status, r.Body)
		}
		e.accepts(t, "/", "opaque")
	})
}

// TestOpaqueKinds has active tokens that are something else than a bearer access
// token, as the endpoint says in some member.
func TestOpaqueKinds(t *testing.T) {
	e := newEndpoint(t, "")
	for i, members := range []string{
		`"token_type":"Bearer"`, `"token_type":"bearer"`, `"scope":"read"`, `"token_use":"access","token_type":"Bearer"`, `"token_use":"access_token","token_type":"Bearer"`,
		`"typ":"Bearer","token_type":"Bearer","nonce":"n"`, `"token_type":"access_token"`,
	} {
		token := "good-" + strconv.Itoa(i)
		e.answers[token] = `"sub":"alice",` + members
		e.accepts(t, "/", token)
	}
	for name, members := range map[string]string{
		"R7662-7: a refresh token":                                   `"token_type":"refresh_token"`,
		"R7662-7: a refresh token of Keycloak":                       `"token_type":"Bearer","typ":"Refresh"`,
		"R7662-7: a refresh token of Hydra":                          `"token_type":"Bearer","token_use":"refresh_token"`,
		"JWT-13: an ID token":                                        `"nonce":"n"`,
		"R9449-9: bound to a key, and sent without a proof":          `"token_type":"DPoP","cnf":{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}`,
		"R9449-9: bound to a key that is not told":                   `"token_type":"DPoP"`,
		"R9449-9: bound to a key that is not told, in other letters": `"token_type":"dpop"`,
		"R9449-9: bound to a key that is not told, of Keycloak":      `"token_type":"Bearer","typ":"DPoP"`,
		"R9449-9: a DPoP token, with a certificate for the key":      `"token_type":"DPoP","cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`,
		"R8705-1: bound to a certificate":                            `"cnf":{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}`,
		"R8705-1: bound to something unknown":                        `"cnf":{"kid":"1"}`,
		"R8705-1: bound to nothing":                                  `"cnf":{}`,
	} {
		t.Run(name, func(t *testing.T) {
			token := "bad-" + strconv.Itoa(len(e.answers))
			e.answers[token] = `"sub":"alice",` + members
			e.refuses(t, "/", token)
		})
	}
}

// TestOpaqueName has users who are named by another claim than the endpoint's
// username, which many may choose for themselves.
func TestOpaqueName(t *testing.T) {
	for name, test := range map[string]struct{ lines, members, user string }{
		"a subject":                                     {"", `"sub":"alice"`, "alice"},
		"a subject, and another username":               {"", `"sub":"alice","username":"bob"`, "alice"},
		"a username without a subject":                  {"", `"username":"alice"`, "alice"},
		"the claim that names them":                     {"user_claim email", `"sub":"1","email":"alice@example.com","username":"bob@example.com"`, "alice@example.com"},
		"without that claim a username is not an email": {"user_claim email", `"sub":"1","username":"bob@example.com"`, ""},
		"an empty claim and a username":                 {"user_claim email", `"sub":"1","email":"","username":"bob@example.com"`, ""},
		"a client for itself with a username":           {"", `"sub":"app","client_id":"app","username":"bob"`, ""},
	} {
		t.Run("R7662-6 R9700-4: "+name, func(t *testing.T) {
			e := newEndpoint(t, test.lines)
			e.answers["opaque"] = test.members
			e.accepts(t, "/", "opaque")
			if user := e.user.Load(); user != test.user {
				t.Errorf("the upstream is told %q", user)
			}
		})
	}
}

// TestOpaqueText sends texts that no bearer token can be (RFC 6750 §2.1). An endpoint
// may still find a token in them, by trimming, by decoding or by taking the first word.
func TestOpaqueText(t *testing.T) {
	e := newEndpoint(t, "")
	for _, text := range []string{"opaque", "a.b.c", "-._~+/==", "v1.local~x/y+z="} {
		e.answers[text] = `"sub":"alice"`
		e.accepts(t, "/", text)
	}
	for name, text := range map[string]string{
		"two words": "opaque opaque", "in quotes": `"opaque"`, "with a comma": "opaque,", "with a colon": "opaque:x", "percent-encoded": "%6fpaque", "with a query": "opaque?a=b",
		"markup": "<script>opaque</script>", "a statement": "opaque'--", "braces": "{opaque}", "a filling within": "opa=que", "nothing but filling": "==", "a backslash": `opaque\`, "a star": "*",
	} {
		t.Run("R6750-14: "+name, func(t *testing.T) {
			e.answers[text] = `"sub":"alice"`
			e.refuses(t, "/", text)
		})
	}
}
