package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"math/big"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/store/memory"
)

const (
	testIssuer   = "https://idp.example.com"
	testAudience = "https://api.example.com"
)

var testNow = time.Unix(1_000_000_000, 0)

// testKeys are a private key of each family, made once.
var testKeys = sync.OnceValue(func() map[string]any {
	keys := make(map[string]any)
	keys["RS"], _ = rsa.GenerateKey(rand.Reader, 2048)
	keys["ES256"], _ = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	keys["ES384"], _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	keys["ES512"], _ = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	_, keys["EdDSA"], _ = ed25519.GenerateKey(rand.Reader)
	return keys
})

// public returns the public keys as PEM.
func public(t testing.TB, keys ...any) []byte {
	t.Helper()
	var all []byte
	for _, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(key.(interface{ Public() any }).Public())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
	}
	return all
}

// signer adapts the Public methods, which return crypto.PublicKey.
type signer struct{ key any }

func (s signer) Public() any {
	switch key := s.key.(type) {
	case *rsa.PrivateKey:
		return key.Public()
	case *ecdsa.PrivateKey:
		return key.Public()
	case ed25519.PrivateKey:
		return key.Public()
	}
	return nil
}

// scheme returns a scheme that knows all test keys.
func scheme(t testing.TB, change ...func(*Bearer)) *Bearer {
	t.Helper()
	var all []any
	for _, key := range testKeys() {
		all = append(all, signer{key})
	}
	set, err := keyset.Parse(public(t, all...))
	if err != nil {
		t.Fatal(err)
	}
	b := &Bearer{Issuer: testIssuer, Audiences: []string{testAudience}}
	for _, c := range change {
		c(b)
	}
	if err := b.check(); err != nil {
		t.Fatal(err)
	}
	b.setDefaults()
	b.now = func() time.Time { return testNow }
	b.cache = newCache(defaultCacheSize)
	b.keys = sources{{keys: keyset.NewStatic(set)}}
	b.UseStore(memory.New())
	return b
}

func goodClaims(change map[string]any) map[string]any {
	claims := map[string]any{
		"iss": testIssuer, "aud": testAudience, "sub": "alice",
		"iat": testNow.Unix(), "exp": testNow.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// sign signs claims; header parameters are added as they are.
func sign(t testing.TB, algorithm string, header, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(goodClaims(claims))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"alg": algorithm, "typ": "JWT"}
	maps.Copy(all, header)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	head, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return signRaw(t, algorithm, string(head), string(payload))
}

// signRaw signs a header and claims as they are written.
func signRaw(t testing.TB, algorithm, header, claims string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	key := testKeys()[algorithm]
	if key == nil {
		key = testKeys()["RS"]
	}
	name := algorithm
	if name == "Ed25519" {
		name, key = "EdDSA", testKeys()["EdDSA"]
	}
	s, err := jws.NewSigner(jwa.SignatureAlgorithm(name))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := s.Sign([]byte(input), key)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func verify(b *Bearer, token string) authn.Outcome {
	r := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
	return b.Verify(context.Background(), r, authn.Credential{Scheme: bearerScheme, Value: token, Location: authn.AuthorizationField})
}

func wantAccepted(t *testing.T, b *Bearer, token string) *authn.Identity {
	t.Helper()
	outcome := verify(b, token)
	if outcome.Verdict != authn.Accepted {
		t.Fatalf("refused: %v", outcome.Reason)
	}
	return outcome.Identity
}

func wantRefused(t *testing.T, b *Bearer, token string, code authn.Code) {
	t.Helper()
	outcome := verify(b, token)
	if outcome.Verdict == authn.Accepted || outcome.Identity != nil {
		t.Fatal("accepted")
	}
	if outcome.Code != code || outcome.Reason == nil {
		t.Errorf("code %q because of %v, want %q", outcome.Code, outcome.Reason, code)
	}
}

func TestAlgorithms(t *testing.T) {
	for _, algorithm := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"} {
		t.Run("JWT-2 JWT-3: "+algorithm, func(t *testing.T) {
			b := scheme(t)
			token := sign(t, algorithm, nil, nil)
			if got := wantAccepted(t, b, token); got.ID != "alice" || got.Issuer != testIssuer {
				t.Errorf("%+v", got)
			}
			parts := strings.Split(token, ".")
			forged := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(decodePart(t, parts[1]), "alice", "mallo", 1))) + "." + parts[2]
			wantRefused(t, scheme(t), forged, authn.CodeInvalidToken)
			wantRefused(t, scheme(t, func(b *Bearer) { b.Algorithms = []string{"HS256"} }), token, authn.CodeInvalidToken)
		})
	}
	t.Run("JWT-2: none in any case, and unknown algorithms", func(t *testing.T) {
		for _, algorithm := range []string{"none", "None", "NONE", "nOnE", "", "RS256 ", "rs256", "HS1", "ES256K"} {
			head, _ := json.Marshal(map[string]any{"alg": algorithm})
			good := sign(t, "ES256", nil, nil)
			parts := strings.Split(good, ".")
			for _, signature := range []string{"", parts[2], "AA"} {
				wantRefused(t, scheme(t), base64.RawURLEncoding.EncodeToString(head)+"."+parts[1]+"."+signature, authn.CodeInvalidToken)
			}
		}
		wantRefused(t, scheme(t), signRaw(t, "ES256", `{"typ":"JWT"}`, `{}`), authn.CodeInvalidToken)
		wantRefused(t, scheme(t), signRaw(t, "ES256", `{"alg":256}`, `{}`), authn.CodeInvalidToken)
	})
	t.Run("JWT-3: a public key is no HMAC secret", func(t *testing.T) {
		for _, key := range testKeys() {
			text := public(t, signer{key})
			block, _ := pem.Decode(text)
			for _, secret := range [][]byte{text, block.Bytes, []byte(strings.TrimSpace(string(text)))} {
				payload, _ := json.Marshal(goodClaims(nil))
				token, err := jws.Sign(payload, jws.WithKey(jwa.HS256, secret))
				if err != nil {
					t.Fatal(err)
				}
				wantRefused(t, scheme(t), string(token), authn.CodeInvalidToken)
			}
		}
	})
	t.Run("JWT-4: HMAC with a long secret only", func(t *testing.T) {
		b := &Bearer{Audiences: []string{"a"}, HMACSecret: block.Secrets{strings.Repeat("x", 31)}}
		if b.check() == nil {
			t.Error("31 bytes were accepted")
		}
		b.HMACSecret[0] += "x"
		if err := b.check(); err != nil {
			t.Error(err)
		}
	})
	t.Run("JWT-4: ECDSA signatures of another form", func(t *testing.T) {
		token := sign(t, "ES256", nil, nil)
		input, text, _ := cutLast(token)
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
		if err != nil {
			t.Fatal(err)
		}
		for _, signature := range [][]byte{der, make([]byte, 64), raw[:63], append(raw, 0), raw[:32], {0}} {
			wantRefused(t, scheme(t), input+"."+base64.RawURLEncoding.EncodeToString(signature), authn.CodeInvalidToken)
		}
	})
}

func cutLast(token string) (input, signature string, ok bool) {
	i := strings.LastIndexByte(token, '.')
	return token[:i], token[i+1:], i > 0
}

func decodePart(t testing.TB, part string) string {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
