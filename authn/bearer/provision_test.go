package bearer

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"crypto/ecdsa"
	"crypto/rsa"

	"github.com/caddyserver/caddy/v2"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/store/memory"
)

// provision loads a scheme as Caddy does; only its clock is that of the tests.
func provision(t *testing.T, b *Bearer) (*Bearer, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(func() {
		if err := b.Cleanup(); err != nil {
			t.Error(err)
		}
		cancel()
	})
	b.Audiences = []string{testAudience}
	err := b.Provision(ctx)
	b.now = func() time.Time { return testNow }
	b.UseStore(memory.New())
	return b, err
}

func mustProvision(t *testing.T, b *Bearer) *Bearer {
	t.Helper()
	b, err := provision(t, b)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// file writes a file of its own folder and returns its path.
func file(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// jwkOf writes the public key of a test key as a JWK.
func jwkOf(t *testing.T, algorithm string, more map[string]string) []byte {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	members := map[string]string{}
	switch key := testKeys()[algorithm].(type) {
	case *rsa.PrivateKey:
		members = map[string]string{"kty": "RSA", "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PrivateKey:
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2
		members = map[string]string{"kty": "EC", "crv": key.Params().Name, "x": encode(point[1 : 1+half]), "y": encode(point[1+half:])}
	}
	maps.Copy(members, more)
	data, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// hmacToken signs good claims with a secret.
func hmacToken(t *testing.T, algorithm jwa.SignatureAlgorithm, secret []byte) string {
	t.Helper()
	payload, err := json.Marshal(goodClaims(nil))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.Sign(payload, jws.WithKey(algorithm, secret))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

func TestSecrets(t *testing.T) {
	secret := strings.Repeat("0123456789abcdef", 4)
	algorithms := []jwa.SignatureAlgorithm{jwa.HS256, jwa.HS384, jwa.HS512}
	for size, allowed := range map[int]int{32: 1, 47: 1, 48: 2, 63: 2, 64: 3} {
		b := mustProvision(t, &Bearer{Issuer: testIssuer, HMACSecret: block.Secrets{secret[:size]}})
		for i, algorithm := range algorithms {
			token := hmacToken(t, algorithm, []byte(secret[:size]))
			if i < allowed {
				t.Run("JWT-2 JWT-4: "+algorithm.String()+" with a secret that is long enough", func(t *testing.T) { wantAccepted(t, b, token) })
			} else {
				t.Run("JWT-4: "+algorithm.String()+" with a secret shorter than its hash", func(t *testing.T) {
					wantRefused(t, b, token, authn.CodeInvalidToken)
				})
			}
		}
	}
	t.Run("JWT-4: another secret, a longer one, a shorter one", func(t *testing.T) {
		b := mustProvision(t, &Bearer{Issuer: testIssuer, HMACSecret: block.Secrets{secret}})
		for _, other := range []string{strings.ToUpper(secret), secret + "0", secret[:63], secret + "\x00", " " + secret} {
			wantRefused(t, b, hmacToken(t, jwa.HS256, []byte(other)), authn.CodeInvalidToken)
		}
	})
	t.Run("JWT-2: a list of algorithms narrows what a secret may do", func(t *testing.T) {
		b := mustProvision(t, &Bearer{Issuer: testIssuer, HMACSecret: block.Secrets{secret}, Algorithms: []string{"HS512"}})
		wantAccepted(t, b, hmacToken(t, jwa.HS512, []byte(secret)))
		wantRefused(t, b, hmacToken(t, jwa.HS256, []byte(secret)), authn.CodeInvalidToken)
	})
	t.Run("JWT-3: tokens of a key pair mean nothing to a secret", func(t *testing.T) {
		b := mustProvision(t, &Bearer{Issuer: testIssuer, HMACSecret: block.Secrets{secret}})
		for _, algorithm := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
			wantRefused(t, b, sign(t, algorithm, nil, nil), authn.CodeInvalidToken)
		}
	})
	t.Run("JWT-4: a part of the signature is none", func(t *testing.T) {
		b := mustProvision(t, &Bearer{Issuer: testIssuer, HMACSecret: block.Secrets{secret}})
		input, _, _ := cutLast(hmacToken(t, jwa.HS256, []byte(secret)))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input))
		whole := mac.Sum(nil)
		for _, size := range []int{1, 16, 30, 31} {
			wantRefused(t, b, input+"."+base64.RawURLEncoding.EncodeToString(whole[:size]), authn.CodeInvalidToken)
		}
		wantRefused(t, b, input+"."+base64.RawURLEncoding.EncodeToString(append(whole, 0)), authn.CodeInvalidToken)
	})
}
