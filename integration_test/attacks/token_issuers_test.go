package attacks

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// otherIssuer is trusted at some gates, and tries to speak for harness.Issuer.
const otherIssuer = "https://other.example.com"

// TestOtherIssuer has an issuer, who has keys of its own and names them as the
// other one does, make tokens in the name of that.
func TestOtherIssuer(t *testing.T) {
	s, other, folder := &target{keys: issuerKeys()}, &target{keys: strangerKeys()}, t.TempDir()
	var requests atomic.Int64
	answer := `{"active":true,"aud":"` + harness.Audience + `","sub":"alice","iss":"` + harness.Issuer + `"}`
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = w.Write([]byte(answer)) // who does not read it gets 503
	}))
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.reached.Add(1) }))
	t.Cleanup(endpoint.Close)
	t.Cleanup(upstream.Close)
	bearer := func(name, issuer, lines string) string {
		return "bearer " + name + " {\nissuer " + issuer + "\naudience " + harness.Audience + "\n" + lines + "\n}\n"
	}
	s.Server = harness.Start(t, "{\nauto_https off\nauth {\nrealm api\n"+
		bearer("own", harness.Issuer, "jwks "+s.jwks(t, t.TempDir()))+
		bearer("other", otherIssuer, "jwks "+other.jwks(t, t.TempDir()))+
		bearer("unnamed", otherIssuer, "key_file "+other.pem(t, folder, "rs", &other.rsa.PublicKey))+
		bearer("asked", otherIssuer, "key_file "+other.pem(t, folder, "es", &other.ecdsa.PublicKey)+
			"\nintrospection "+endpoint.URL+" {\nclient_id gateway\nclient_secret hush\n}")+
		"}\n}\nhttp://localhost:8080 {\nrequire_auth /own own\nrequire_auth /other other\nrequire_auth /both other own\nrequire_auth /all unnamed asked other own\nrequire_auth /asked own asked\n"+
		"reverse_proxy "+upstream.Listener.Addr().String()+"\n}")
	const header = `{"alg":"RS256","kid":"rs"}`
	as := func(issuer string) string { return claimsWith(t, `"iss":"`+harness.Issuer+`"`, `"iss":`+issuer) }
	honest, foreignIssuer := forge(header, claims(), s.rs256), forge(header, as(`"`+otherIssuer+`"`), other.rs256)
	for path, token := range map[string]string{"/own": honest, "/both": honest, "/all": honest, "/other": foreignIssuer, "/asked": honest} {
		s.accepts(t, path, token)
	}
	s.accepts(t, "/both", foreignIssuer)
	for name, token := range map[string]string{
		"in the name of the issuer":               forge(header, claims(), other.rs256),
		"in its name, without a key id":           forge(`{"alg":"RS256"}`, claims(), other.rs256),
		"in its name, by another algorithm":       forge(`{"alg":"ES256","kid":"es"}`, claims(), other.es256),
		"in its name, with another in the header": forge(`{"alg":"RS256","kid":"rs","iss":"`+otherIssuer+`"}`, claims(), other.rs256),
		"in the name of both":                     forge(header, as(`["`+otherIssuer+`","`+harness.Issuer+`"]`), other.rs256),
		"in two names, its own first":             forge(header, as(`"`+otherIssuer+`","iss":"`+harness.Issuer+`"`), other.rs256),
		"in two names, its own last":              forge(header, as(`"`+harness.Issuer+`","iss":"`+otherIssuer+`"`), other.rs256),
		"in a name and in capitals":               forge(header, as(`"`+harness.Issuer+`","ISS":"`+otherIssuer+`"`), other.rs256),
		"in nobody's name":                        forge(header, claimsWith(t, `"iss":"`+harness.Issuer+`",`, ``), other.rs256),
		"in an empty name":                        forge(header, as(`""`), other.rs256),
		"in its own, with the signature of one":   resign(foreignIssuer, signatureOf(honest)),
		"of the issuer, signed again":             resign(honest, other.rs256(honest[:strings.LastIndexByte(honest, '.')])),
	} {
		t.Run("JWT-8: a token of another issuer, "+name, func(t *testing.T) {
			for _, path := range []string{"/own", "/both", "/other"} {
				s.refuses(t, path, token)
			}
		})
	}
	t.Run("JWT-8: a token that was let in elsewhere", func(t *testing.T) {
		s.refuses(t, "/own", foreignIssuer)
		s.refuses(t, "/other", honest)
	})
	t.Run("JWT-8: a token of the issuer is not shown to another's endpoint", func(t *testing.T) {
		before := requests.Load()
		for _, token := range []string{honest, forge(header, claims(), other.rs256), forge(`{"alg":"none"}`, claims(), s.rs256), honest + "A"} {
			s.Get("/asked", harness.Bearer(token))
		}
		if requests.Load() != before {
			t.Errorf("the endpoint was asked %d times", requests.Load()-before)
		}
	})
	t.Run("JWT-8: an endpoint that answers in the name of another", func(t *testing.T) {
		before := requests.Load()
		s.refuses(t, "/asked", "opaque")
		if requests.Load() != before+1 {
			t.Error("the endpoint was not asked, so this proves nothing")
		}
	})
}
