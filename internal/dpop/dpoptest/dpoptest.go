// Package dpoptest makes valid and invalid DPoP proofs for tests.
package dpoptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Proof signs a proof with a key for ECDSA, Ed25519 or RSA.
//
// By default it has a random jti, htm GET, htu https://api.example.com/ and iat now. It
// has no ath, see [Hash]. The header has typ, jwk and the alg of the key, which is
// RS256 for RSA. Claims and header parameters are added or replace these, and nil
// removes one. Use json.RawMessage for null. A wrong alg is written, but another one
// signs.
func Proof(tb testing.TB, key crypto.Signer, claims, header map[string]any) string {
	tb.Helper()
	allHeader := merge(map[string]any{"typ": "dpop+jwt", "alg": natural(tb, key).String(), "jwk": JWK(tb, key.Public())}, header)
	allClaims := merge(map[string]any{"jti": rand.Text(), "htm": "GET", "htu": "https://api.example.com/", "iat": time.Now().Unix()}, claims)
	name, _ := allHeader["alg"].(string)
	return Sign(tb, key, name, encode(tb, allHeader), encode(tb, allClaims))
}

// Sign signs texts that may be invalid JSON. For a wrong algorithm it uses another one
// that fits the key.
func Sign(tb testing.TB, key crypto.Signer, algorithm string, header, claims []byte) string {
	tb.Helper()
	text := base64.RawURLEncoding.EncodeToString
	signed := text(header) + "." + text(claims)
	for _, usable := range []jwa.SignatureAlgorithm{jwa.SignatureAlgorithm(algorithm), natural(tb, key)} {
		signer, err := jws.NewSigner(usable)
		if err != nil {
			continue
		}
		if signature, err := signer.Sign([]byte(signed), key); err == nil {
			return signed + "." + text(signature)
		}
	}
	tb.Fatalf("a key of type %T cannot sign", key)
	return ""
}

// Hash is the ath of an access token.
func Hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Thumbprint is the cnf.jkt of a token that is bound to the key.
func Thumbprint(tb testing.TB, public crypto.PublicKey) string {
	tb.Helper()
	key, err := jwk.FromRaw(public)
	if err != nil {
		tb.Fatal(err)
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		tb.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// JWK is the public key for a header.
func JWK(tb testing.TB, public crypto.PublicKey) map[string]any {
	tb.Helper()
	key, err := jwk.FromRaw(public)
	if err != nil {
		tb.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(encode(tb, key), &members); err != nil {
		tb.Fatal(err)
	}
	return members
}

// natural is the usual algorithm of a key.
func natural(tb testing.TB, key crypto.Signer) jwa.SignatureAlgorithm {
	tb.Helper()
	switch public := key.Public().(type) {
	case *ecdsa.PublicKey:
		return map[int]jwa.SignatureAlgorithm{256: jwa.ES256, 384: jwa.ES384, 521: jwa.ES512}[public.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return jwa.EdDSA
	case *rsa.PublicKey:
		return jwa.RS256
	default:
		tb.Fatalf("keys of type %T are not supported", key)
		return jwa.NoSignature
	}
}

func merge(defaults, overrides map[string]any) map[string]any {
	maps.Copy(defaults, overrides)
	maps.DeleteFunc(defaults, func(_ string, value any) bool { return value == nil })
	return defaults
}

func encode(tb testing.TB, value any) []byte {
	tb.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}
