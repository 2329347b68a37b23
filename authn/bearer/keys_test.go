package bearer

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// TestPinned has keys that say what they are for.
func TestPinned(t *testing.T) {
	set := []byte(fmt.Sprintf(`{"keys":[%s,%s,%s]}`,
		jwkOf(t, "RS", map[string]string{"kid": "rsa", "alg": "RS256"}),
		jwkOf(t, "ES256", map[string]string{"kid": "ec", "use": "sig"}),
		jwkOf(t, "ES384", map[string]string{"kid": "for encryption", "use": "enc"})))
	b := mustProvision(t, &Bearer{Issuer: testIssuer, JWKS: file(t, set)})
	for name, tc := range map[string]struct {
		algorithm string
		kid       any
		good      bool
	}{
		"JWT-3: the key and its algorithm":           {"RS256", "rsa", true},
		"JWT-3: another hash than the key's":         {"RS384", "rsa", false},
		"JWT-3: another padding than the key's":      {"PS256", "rsa", false},
		"JWT-5: without a kid the fitting key":       {"RS256", nil, true},
		"JWT-5: without a kid, of another algorithm": {"RS512", nil, false},
		"JWT-5: an empty kid is none":                {"ES256", "", true},
		"JWT-3: the kid of a key of another kind":    {"RS256", "ec", false},
		"JWT-6: kid in another letter case":          {"RS256", "RSA", false},
		"JWT-6: kid with a space":                    {"RS256", "rsa ", false},
		"JWT-6: a path":                              {"RS256", "../../../../etc/passwd", false},
		"JWT-6: an address":                          {"RS256", "http://127.0.0.1/keys", false},
		"JWT-6: a statement":                         {"RS256", "' OR 1=1 --", false},
		"JWT-14: a key that is not for signatures":   {"ES384", "for encryption", false},
		"JWT-14: and not without its name either":    {"ES384", nil, false},
		"JWT-6: kid is a list":                       {"RS256", []any{"rsa"}, false},
		"JWT-3: a curve that is not the key's":       {"ES512", "ec", false},
		"JWT-14: the key that has a use":             {"ES256", "ec", true},
	} {
		t.Run(name, func(t *testing.T) {
			token := sign(t, tc.algorithm, map[string]any{"kid": tc.kid}, nil)
			if tc.good {
				wantAccepted(t, b, token)
			} else {
				wantRefused(t, b, token, authn.CodeInvalidToken)
			}
		})
	}
	t.Run("JWT-6: kid is null", func(t *testing.T) {
		wantRefused(t, b, signRaw(t, "RS256", `{"alg":"RS256","kid":null}`, decodePart(t, strings.Split(sign(t, "RS256", nil, nil), ".")[1])), authn.CodeInvalidToken)
	})
	t.Run("JWT-3: a key is not tried with an algorithm that it is not pinned to", func(t *testing.T) {
		token, err := parse(sign(t, "RS256", nil, nil))
		if err != nil {
			t.Fatal(err)
		}
		key := &keyset.Key{Algorithms: []string{"RS256"}, Public: testKeys()["RS"].(*rsa.PrivateKey).Public()}
		if err := token.verify([]*keyset.Key{key}); err != nil {
			t.Error(err)
		}
		key.Algorithms = []string{"RS384", "PS256"}
		if token.verify([]*keyset.Key{key}) == nil {
			t.Error("it was tried")
		}
	})
	t.Run("JWT-4: an RSA key of 1024 bits is refused at load", func(t *testing.T) {
		modulus := make([]byte, 128)
		modulus[0], modulus[127] = 0x80, 1
		weak := fmt.Sprintf(`{"kty":"RSA","e":"AQAB","n":%q}`, base64.RawURLEncoding.EncodeToString(modulus))
		if _, err := provision(t, &Bearer{Issuer: testIssuer, KeyFiles: []string{file(t, []byte(weak))}}); err == nil {
			t.Error("it was loaded")
		}
	})
	t.Run("JWT-14: private keys are refused at load", func(t *testing.T) {
		set := jwkOf(t, "ES256", map[string]string{"d": "AAAA"})
		if _, err := provision(t, &Bearer{Issuer: testIssuer, JWKS: file(t, set)}); err == nil {
			t.Error("it was loaded")
		}
	})
}

// TestConfusion signs with what everybody knows: the public keys, in every
// spelling that a careless server could take for a secret.
func TestConfusion(t *testing.T) {
	jwk := jwkOf(t, "RS", nil)
	text := public(t, signer{testKeys()["RS"]})
	block, _ := pem.Decode(text)
	modulus := testKeys()["RS"].(*rsa.PrivateKey).N.Bytes()
	for form, path := range map[string]string{"PEM": file(t, text), "JWK": file(t, jwk)} {
		// Even a list of algorithms that names HS256 does not make a secret of it.
		for _, list := range [][]string{nil, {"RS256", "HS256", "HS384", "HS512"}} {
			b := mustProvision(t, &Bearer{Issuer: testIssuer, KeyFiles: []string{path}, Algorithms: list})
			wantAccepted(t, b, sign(t, "RS256", nil, nil))
			for name, secret := range map[string][]byte{
				"PEM": text, "PEM without its last line break": []byte(strings.TrimSpace(string(text))), "DER": block.Bytes,
				"PEM with CRLF": []byte(strings.ReplaceAll(string(text), "\n", "\r\n")),
				"JWK":           jwk, "modulus": modulus, "modulus in base64": []byte(base64.RawURLEncoding.EncodeToString(modulus)), "nothing": {0},
			} {
				t.Run(fmt.Sprintf("JWT-3: %s as a secret, the key is %s", name, form), func(t *testing.T) {
					for _, algorithm := range []jwa.SignatureAlgorithm{jwa.HS256, jwa.HS384, jwa.HS512} {
						wantRefused(t, b, hmacToken(t, algorithm, secret), authn.CodeInvalidToken)
					}
				})
			}
		}
	}
}

// TestNoCalls has a token that names keys and addresses. The scheme makes no call.
func TestNoCalls(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	called := make(chan struct{}, 8)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
			called <- struct{}{}
		}
	}()
	address := "http://" + listener.Addr().String() + "/"
	b := mustProvision(t, &Bearer{Issuer: testIssuer, KeyFiles: []string{file(t, public(t, signer{testKeys()["RS"]}))}})
	t.Run("JWT-6: keys and addresses in a header are not used", func(t *testing.T) {
		own := map[string]any{"kty": "EC", "crv": "P-256"}
		for _, header := range []map[string]any{
			{"jku": address}, {"x5u": address}, {"kid": address}, {"jku": address, "kid": "1"}, {"jwk": own}, {"x5c": []string{"MII="}}, {"iss": address},
		} {
			wantRefused(t, b, sign(t, "ES256", header, nil), authn.CodeInvalidToken)
			wantAccepted(t, b, sign(t, "RS256", header, nil))
		}
		select {
		case <-called:
			t.Error("an address in a token was called")
		case <-time.After(50 * time.Millisecond):
		}
	})
}

func TestKeyFileChanges(t *testing.T) {
	path := file(t, public(t, signer{testKeys()["ES256"]}))
	b := mustProvision(t, &Bearer{Issuer: testIssuer, KeyFiles: []string{path}})
	first, second := sign(t, "ES256", nil, nil), sign(t, "ES384", nil, nil)
	verdict := func(token string) authn.Verdict { return verify(b, token).Verdict }
	eventually := func(t *testing.T, condition string, holds func() bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("gave up waiting: " + condition)
			}
		}
	}
	wantAccepted(t, b, first)
	wantRefused(t, b, second, authn.CodeInvalidToken)
	replace := func(t *testing.T, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("JWT-14: another key takes the place of the first, also for a token that is remembered", func(t *testing.T) {
		replace(t, public(t, signer{testKeys()["ES384"]}))
		eventually(t, "the new key counts", func() bool { return verdict(second) == authn.Accepted })
		wantRefused(t, b, first, authn.CodeInvalidToken)
	})
	t.Run("JWT-14: a broken file changes nothing", func(t *testing.T) {
		replace(t, []byte("-----BEGIN PUBLIC KEY-----\nbroken"))
		time.Sleep(200 * time.Millisecond)
		wantAccepted(t, b, second)
		wantRefused(t, b, first, authn.CodeInvalidToken)
	})
	t.Run("JWT-14: and a good one counts again", func(t *testing.T) {
		replace(t, public(t, signer{testKeys()["ES256"]}, signer{testKeys()["ES384"]}))
		eventually(t, "both keys count", func() bool { return verdict(first) == authn.Accepted && verdict(second) == authn.Accepted })
	})
}
