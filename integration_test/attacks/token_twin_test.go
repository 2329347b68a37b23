package attacks

import (
	"crypto/elliptic"
	"math/big"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// twinOf writes an ES256 token with the second form of its signature, which needs no
// key: s and the order minus s are equally valid.
func twinOf(token string) string {
	signature := signatureOf(token)
	s := new(big.Int).SetBytes(signature[32:])
	return resign(token, concat(new(big.Int).SetBytes(signature[:32]), s.Sub(elliptic.P256().Params().N, s)))
}

// TestRevokedTwin has a revoked token come back as its twin. Both are valid before: an
// attacker cannot sign other claims with it, so the gate accepts either. But a
// revocation must cover the signed part.
func TestRevokedTwin(t *testing.T) {
	for name, test := range map[string]struct {
		sent    string // to the gate before the revocation: what it remembers
		revoked func(token, twin string) string
	}{
		"the token is named":                  {"both", func(token, _ string) string { return `{"token":"` + token + `"}` }},
		"the twin is named":                   {"both", func(_, twin string) string { return `{"token":"` + twin + `"}` }},
		"the token is named, new to the gate": {"none", func(token, _ string) string { return `{"token":"` + token + `"}` }},
		"the twin is named, new to the gate":  {"none", func(_, twin string) string { return `{"token":"` + twin + `"}` }},
		"its jti is named":                    {"both", func(string, string) string { return `{"jti":"twin"}` }},
		"its jti is named, new to the gate":   {"none", func(string, string) string { return `{"jti":"twin"}` }},
		"its sub is named":                    {"both", func(string, string) string { return `{"sub":"alice"}` }},
		"its jti, of the issuer":              {"both", func(string, string) string { return `{"jti":"twin","issuer":"` + harness.Issuer + `"}` }},
	} {
		t.Run("revoked: "+name, func(t *testing.T) {
			site := &target{keys: issuerKeys()}
			site.Server = harness.StartWithAdmin(t, "{\nauto_https off\nauth {\nbearer {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+
				"\nkey_file "+site.pem(t, t.TempDir(), "es", &site.ecdsa.PublicKey)+"\n}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond ok\n}")
			token := forge(`{"alg":"ES256"}`, claims(`"jti":"twin"`), site.es256)
			twin, other := twinOf(token), forge(`{"alg":"ES256"}`, claimsWith(t, `"sub":"alice"`, `"sub":"bob"`), site.es256)
			if test.sent == "both" {
				for _, text := range []string{token, twin} {
					if r := site.Get("/", harness.Bearer(text)); r.Status != 200 {
						t.Fatalf("%d, so this proves nothing", r.Status)
					}
				}
			}
			if r := site.Do("POST", site.AdminURL("/auth/revocations"), harness.Body("application/json", test.revoked(token, twin))); r.Status != 200 {
				t.Fatal(r.Status, r.Body)
			}
			for _, text := range []string{token, twin} {
				if r := site.Get("/", harness.Bearer(text)); r.Status != 401 || r.Problem().Code != "revoked_token" {
					t.Errorf("%d %s", r.Status, r.Body)
				}
			}
			if r := site.Get("/", harness.Bearer(other)); r.Status != 200 {
				t.Errorf("another caller gets %d", r.Status)
			}
		})
	}
}
