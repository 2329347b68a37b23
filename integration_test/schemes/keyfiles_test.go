package schemes

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// ecKey makes keys on a curve until one is as wanted.
func ecKey(t *testing.T, curve elliptic.Curve, accepts func(*ecdsa.PublicKey) bool) *ecdsa.PrivateKey {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if accepts(&key.PublicKey) {
			return key
		}
	}
}

// coordinates are those of the point of a key, each of the size of its curve.
func coordinates(t *testing.T, key *ecdsa.PublicKey) (x, y []byte) {
	t.Helper()
	point, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	size := len(point) / 2 // behind a first octet that says: uncompressed
	return point[1 : 1+size], point[1+size:]
}

func publicPEM(t *testing.T, key *ecdsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// openSSL is a private key as `openssl ecparam -genkey` writes it: the parameters
// of the curve come first.
func openSSL(t *testing.T, key *ecdsa.PrivateKey) string {
	t.Helper()
	parameters, err := asn1.Marshal(map[elliptic.Curve]asn1.ObjectIdentifier{
		elliptic.P256(): {1, 2, 840, 10045, 3, 1, 7},
		elliptic.P384(): {1, 3, 132, 0, 34},
		elliptic.P521(): {1, 3, 132, 0, 35},
	}[key.Curve])
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: parameters})) +
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
}

func anyKey(*ecdsa.PublicKey) bool { return true }

// TestOpenSSLKeys has EC keys as OpenSSL writes them.
func TestOpenSSLKeys(t *testing.T) {
	key := ecKey(t, elliptic.P521(), anyKey)
	private, public := openSSL(t, key), publicPEM(t, &key.PublicKey)
	parameters, _, _ := strings.Cut(private, "-----BEGIN EC PRIVATE")
	bearer := func(lines string) string {
		return config("bearer {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\n"+lines+"\n}", "require_auth\nrespond ok")
	}
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "key.pem")
		write(t, path, content)
		return path
	}
	s := harness.Start(t, bearer("key_file "+file(public)))
	t.Run("JWT-3: the parameters before a public key do not matter", func(t *testing.T) {
		s.Reload(bearer("key_file " + file(parameters+public)))
		wantOK(t, s.Get("/", harness.Bearer(harness.Sign(t, jwa.ES512, key, nil))))
	})
	for name, test := range map[string]struct{ content, says string }{
		"a private key":                 {private, "PEM block 2: a private key has no place here"},
		"parameters alone":              {parameters, "has no key"},
		"parameters that are cut":       {public + parameters[:len(parameters)/2], "only 1 of 2 PEM blocks"},
		"a public key that is cut":      {parameters + public[:len(public)/2], "only 1 of 2 PEM blocks"},
		"a key behind a mark of a file": {public + "\ufeff" + public, "only 1 of 2 PEM blocks"},
	} {
		t.Run("JWT-14: "+name+" as key_file is refused", func(t *testing.T) {
			if err := s.TryReload(bearer("key_file " + file(test.content))); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v, want %q", err, test.says)
			}
		})
	}
	t.Run("R7662-1: the private key authenticates at the introspection endpoint", func(t *testing.T) {
		assertions := make(chan string, 1)
		endpoint := upstream(t, func(w http.ResponseWriter, r *http.Request) {
			assertions <- r.PostFormValue("client_assertion")
			_, _ = io.WriteString(w, `{"active": false}`)
		})
		s.Reload(bearer("introspection http://" + endpoint + " {\nclient_id gateway\nclient_auth private_key_jwt\nkey_file " + file(private) + "\n}"))
		want(t, s.Get("/", harness.Bearer("an-opaque-token")), 401, "invalid_token", bearerChallenge+`, error="invalid_token", error_description="The access token is invalid"`)
		if _, err := jws.Verify([]byte(<-assertions), jws.WithKey(jwa.ES512, &key.PublicKey)); err != nil {
			t.Error(err)
		}
	})
}

// TestP521 has keys of the largest curve, whose coordinates have 521 bits. The first of
// 66 octets is 0 or 1, and some software omits a zero.
func TestP521(t *testing.T) {
	text := base64.RawURLEncoding.EncodeToString
	jwk := func(key *ecdsa.PublicKey, octets func([]byte) []byte, more string) string {
		x, y := coordinates(t, key)
		return `{"kty":"EC","crv":"P-521","x":"` + text(octets(x)) + `","y":"` + text(octets(y)) + `"` + more + `}`
	}
	full := func(octets []byte) []byte { return octets }
	trimmed := func(octets []byte) []byte { return bytes.TrimLeft(octets, "\x00") }
	begin := func(first byte) func(*ecdsa.PublicKey) bool {
		return func(key *ecdsa.PublicKey) bool {
			x, y := coordinates(t, key)
			return x[0] == first && y[0] == first
		}
	}
	for name, accepts := range map[string]func(*ecdsa.PublicKey) bool{
		"full coordinates":  begin(1),
		"short coordinates": begin(0),
	} {
		key := ecKey(t, elliptic.P521(), accepts)
		other := ecKey(t, elliptic.P521(), accepts)
		for form, content := range map[string]string{
			"PEM":                       publicPEM(t, &key.PublicKey),
			"PEM behind another key":    publicPEM(t, &other.PublicKey) + publicPEM(t, &key.PublicKey),
			"JWK":                       jwk(&key.PublicKey, full, ""),
			"JWK with alg":              jwk(&key.PublicKey, full, `,"alg":"ES512","use":"sig"`),
			"JWK without leading zeros": jwk(&key.PublicKey, trimmed, ""),
			"JWK Set":                   `{"keys":[` + jwk(&other.PublicKey, full, "") + "," + jwk(&key.PublicKey, full, "") + `]}`,
		} {
			for _, line := range []string{"key_file", "jwks"} {
				path := filepath.Join(t.TempDir(), "keys")
				write(t, path, content)
				s := harness.Start(t, config(fmt.Sprintf("bearer {\nissuer %s\naudience %s\n%s %s\n}", harness.Issuer, harness.Audience, line, path), "require_auth\nrespond ok"))
				for kid, header := range map[string]map[string]any{"no kid": nil, "a kid": {"kid": "k1"}} {
					t.Run("JWT-3: "+name+", "+form+", "+line+", "+kid, func(t *testing.T) {
						wantOK(t, s.Get("/", harness.Bearer(harness.Sign(t, jwa.ES512, key, header))))
					})
				}
			}
		}
	}
}
