package attacks

import (
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestEmbedded brings the key along, or says where it is to be had.
func TestEmbedded(t *testing.T) {
	s, stranger := newTarget(t), strangerKeys()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		_, _ = w.Write([]byte(`{"keys":[` + jwk(&target{keys: stranger}, "RSA") + `]}`)) // nobody may read it
	}))
	t.Cleanup(server.Close)
	der := certificate(t, &target{keys: stranger}, &stranger.rsa.PublicKey, false)
	sum := sha256.Sum256(der)
	key := jwk(&target{keys: stranger}, "RSA")
	for name, header := range map[string]string{
		"jwk":                      `"jwk":` + key,
		"jwk with the issuer's id": `"kid":"rs","jwk":` + strings.Replace(key, "{", `{"kid":"rs",`, 1),
		"jwk that is a secret":     `"jwk":{"kty":"oct","k":"` + b64(secret) + `"}`,
		"jwk in a list":            `"jwk":[` + key + `]`,
		"jwks":                     `"jwks":{"keys":[` + key + `]}`,
		"jku":                      `"jku":"` + server.URL + `/keys.json"`,
		"jku with a key id":        `"kid":"rs","jku":"` + server.URL + `/keys.json"`,
		"jku that begins well":     `"jku":"` + harness.Issuer + `@` + strings.TrimPrefix(server.URL, "http://") + `/"`,
		"jku of a file":            `"jku":"file:///etc/passwd"`,
		"x5u":                      `"x5u":"` + server.URL + `/cert.pem"`,
		"x5c":                      `"x5c":["` + stdBase64(der) + `"]`,
		"x5c with a key id":        `"kid":"rs","x5c":["` + stdBase64(der) + `"]`,
		"x5t#S256":                 `"x5t#S256":"` + b64(sum[:]) + `"`,
		"x5c that is not a list":   `"x5c":"` + stdBase64(der) + `"`,
		"kid that is an address":   `"kid":"` + server.URL + `/keys.json"`,
		"iss in the header":        `"iss":"` + server.URL + `"`,
	} {
		t.Run("JWT-6: "+name, func(t *testing.T) {
			for _, path := range []string{rsGate, allGate} {
				s.refuses(t, path, forge(`{"alg":"RS256",`+header+`}`, claims(), stranger.rs256))
			}
		})
	}
	for name, test := range map[string]struct {
		algorithm, parameter string
		sign                 signer
	}{
		"a key for ECDSA":                   {"ES256", `"jwk":` + jwk(&target{keys: stranger}, "EC"), stranger.es256},
		"a key for EdDSA":                   {"EdDSA", `"jwk":` + jwk(&target{keys: stranger}, "Ed25519"), stranger.eddsa},
		"a key for PSS":                     {"PS256", `"jwk":` + key, stranger.ps256},
		"a secret":                          {"HS256", `"jwk":{"kty":"oct","k":"` + b64("0123456789abcdef0123456789abcdef") + `"}`, hs([]byte("0123456789abcdef0123456789abcdef"))},
		"an empty secret":                   {"HS256", `"jwk":{"kty":"oct","k":""}`, hs(nil)},
		"a secret as k":                     {"HS256", `"k":"AA"`, hs([]byte{0})},
		"the SHA-1 of a certificate":        {"RS256", `"x5t":"` + b64(sum[:20]) + `"`, stranger.rs256},
		"a chain of two":                    {"RS256", `"x5c":["` + stdBase64(der) + `","` + stdBase64(der) + `"]`, stranger.rs256},
		"the issuer's certificate, another": {"RS256", `"x5c":["` + stdBase64(certificate(t, s, &s.rsa.PublicKey, false)) + `"]`, stranger.rs256},
		"a certificate to be fetched":       {"RS256", `"kid":"rs","x5u":"` + server.URL + `/c.pem","x5t":"` + b64(sum[:20]) + `"`, stranger.rs256},
		"an address in crit":                {"RS256", `"jku":"` + server.URL + `","crit":["jku"]`, stranger.rs256},
		"jku in capitals":                   {"RS256", `"JKU":"` + server.URL + `"`, stranger.rs256},
		"jku as a list":                     {"RS256", `"jku":["` + server.URL + `"]`, stranger.rs256},
		"jwks_uri":                          {"RS256", `"jwks_uri":"` + server.URL + `"`, stranger.rs256},
		"jku by another protocol":           {"RS256", `"jku":"gopher://` + strings.TrimPrefix(server.URL, "http://") + `/x"`, stranger.rs256},
		"jku of an address in the cloud":    {"RS256", `"jku":"http://169.254.169.254/latest/meta-data/"`, stranger.rs256},
	} {
		t.Run("JWT-6: brought along: "+name, func(t *testing.T) {
			for _, path := range []string{rsGate, esGate, edGate, hsGate, allGate} {
				s.refuses(t, path, forge(`{"alg":"`+test.algorithm+`",`+test.parameter+`}`, claims(), test.sign))
			}
		})
	}
	t.Run("JWT-6: jwk that is the issuer's own adds nothing to a good signature", func(t *testing.T) {
		s.accepts(t, rsGate, forge(`{"alg":"RS256","jwk":`+jwk(s, "RSA")+`}`, claims(), s.rs256))
		s.accepts(t, rsGate, forge(`{"alg":"RS256","jwk":`+key+`,"jku":"`+server.URL+`"}`, claims(), s.rs256))
	})
	if requests.Load() != 0 {
		t.Errorf("the gate asked a stranger's server %d times", requests.Load())
	}
}

// TestKeyID names keys that there are not. The gate of /all goes by key ids.
func TestKeyID(t *testing.T) {
	s := newTarget(t)
	s.accepts(t, allGate, forge(`{"alg":"RS256","kid":"rs"}`, claims(), s.rs256))
	for name, kid := range map[string]string{
		"a file":            `"../../../../dev/null"`,
		"a file of secrets": `"/etc/passwd"`,
		"a file address":    `"file:///dev/null"`,
		"a query of SQL":    `"x' UNION SELECT 'secret' -- "`,
		"a command":         `"key.crt; touch /tmp/pwned"`,
		"a placeholder":     `"{env.HOME}"`,
		"a template":        `"{{.Secret}}"`,
		"empty":             `""`,
		"a space behind":    `"rs "`,
		"NUL behind":        `"rs\u0000"`,
		"another case":      `"RS"`,
		"a line break":      `"rs\nrs"`,
		"10 KiB":            `"` + strings.Repeat("k", 10<<10) + `"`,
		"a number":          `0`,
		"null":              `null`,
		"true":              `true`,
		"a list":            `["rs"]`,
		"an object":         `{"rs":"rs"}`,
		"__proto__":         `"__proto__"`,
	} {
		t.Run("JWT-6: kid is "+name, func(t *testing.T) {
			header := `{"alg":"RS256","kid":` + kid + `}`
			s.refuses(t, allGate, forge(header, claims(), strangerKeys().rs256))
			s.refuses(t, allGate, forge(strings.Replace(header, "RS256", "HS256", 1), claims(), hs(nil)))
			s.refuses(t, allGate, forge(strings.Replace(header, "RS256", "HS256", 1), claims(), hs([]byte{0})))
		})
	}
}

// TestMeaning has parameters that would change what the signature means, and
// types of other things than access tokens.
func TestMeaning(t *testing.T) {
	s := newTarget(t)
	wantRefused := func(name, header string) {
		t.Run(name, func(t *testing.T) { s.refuses(t, rsGate, forge(header, claims(), s.rs256)) })
	}
	for _, crit := range []string{
		`[]`, `["exp"]`, `["b64"]`, `["alg"]`, `["http://example.invalid/UNDEFINED"]`, `"exp"`, `null`, `{}`, `true`, `[1]`, `[""]`, `["crit"]`, `["jwk","jku"]`,
	} {
		wantRefused("JWT-7: crit is "+crit, `{"alg":"RS256","exp":1,"b64":true,"crit":`+crit+`}`)
		wantRefused("JWT-7: crit alone is "+crit, `{"alg":"RS256","crit":`+crit+`}`)
	}
	for _, b64 := range []string{"false", "true", "null", `"false"`} {
		wantRefused("JWT-7: b64 is "+b64, `{"alg":"RS256","b64":`+b64+`}`)
	}
	for _, kind := range []string{
		"dpop+jwt", "DPoP+JWT", "application/dpop+jwt", "logout+jwt", "application/logout+jwt", "secevent+jwt", "token-introspection+jwt",
		"oauth-authz-req+jwt", "client-authentication+jwt", "kb+jwt", "dc+sd-jwt", "vc+sd-jwt", "entity-statement+jwt", "JOSE+JSON",
		"introspection+jwt", "at+jwt ", "jwt2", "a", "at+JWTs", "at%2Bjwt", "text/plain", "jwt;at+jwt", "",
	} {
		wantRefused("JWT-13: typ is "+kind, `{"alg":"RS256","typ":"`+kind+`"}`)
	}
	for _, kind := range []string{`1`, `["JWT"]`, `null`, `{}`, `true`} {
		wantRefused("JWT-13: typ is not a string: "+kind, `{"alg":"RS256","typ":`+kind+`}`)
	}
	for _, kind := range []string{"JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"} {
		t.Run("JWT-13: typ is "+kind+", which passes", func(t *testing.T) {
			s.accepts(t, rsGate, forge(`{"alg":"RS256","typ":"`+kind+`"}`, claims(), s.rs256))
		})
	}
	inner := forge(`{"alg":"RS256"}`, claims(), s.rs256)
	for name, token := range map[string]string{
		"nested in a token":         forge(`{"alg":"RS256","cty":"JWT"}`, inner, s.rs256),
		"nested as a text":          forge(`{"alg":"RS256","cty":"JWT"}`, `"`+inner+`"`, s.rs256),
		"compressed":                forge(`{"alg":"RS256","zip":"DEF"}`, "\xab\x56\x4a\x4c\x49\x51\xb2\x02\x00", s.rs256),
		"encrypted":                 b64(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".AA.AA.AA.AA",
		"encrypted with no key":     b64(`{"alg":"dir","enc":"A128CBC-HS256"}`) + "..AA.AA.AA",
		"detached":                  strings.Join([]string{strings.Split(inner, ".")[0], "", strings.Split(inner, ".")[2]}, "."),
		"a selective disclosure":    inner + "~" + b64(`["salt","sub","bob"]`) + "~",
		"one disclosure with a key": inner + "~" + forge(`{"alg":"RS256","typ":"kb+jwt"}`, `{}`, s.rs256),
	} {
		t.Run("JWT-12: "+name, func(t *testing.T) { s.refuses(t, rsGate, token) })
	}
}
