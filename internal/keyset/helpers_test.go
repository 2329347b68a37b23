package keyset

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"sync"
	"testing"
)

// rsaKey is made once for each size, since making one is slow.
var rsaKey = func() func(t testing.TB, bits int) *rsa.PrivateKey {
	var keys sync.Map
	return func(t testing.TB, bits int) *rsa.PrivateKey {
		t.Helper()
		if key, found := keys.Load(bits); found {
			return key.(*rsa.PrivateKey)
		}
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		keys.Store(bits, key)
		return key
	}
}()

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edKey(t testing.TB) ed25519.PublicKey {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return public
}

// entry is a JWK that a test may spoil.
type entry map[string]any

// with returns the entry with one member more, or another value for it.
func (e entry) with(name string, value any) entry {
	changed := entry{name: value}
	for other, member := range e {
		if other != name {
			changed[other] = member
		}
	}
	return changed
}

func base64URL(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func jwkOf(t testing.TB, kid string, public any) entry {
	t.Helper()
	jwk := entry{}
	switch key := public.(type) {
	case *rsa.PublicKey:
		jwk = entry{"kty": "RSA", "n": base64URL(key.N.Bytes()), "e": base64URL(big.NewInt(int64(key.E)).Bytes())}
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2 // after the byte that says "uncompressed"
		jwk = entry{"kty": "EC", "crv": key.Params().Name, "x": base64URL(point[1 : 1+half]), "y": base64URL(point[1+half:])}
	case ed25519.PublicKey:
		jwk = entry{"kty": "OKP", "crv": "Ed25519", "x": base64URL(key)}
	default:
		t.Fatalf("no JWK for %T", public)
	}
	if kid != "" {
		jwk["kid"] = kid
	}
	return jwk
}

func jwksOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	return toJSON(t, map[string]any{"keys": entries})
}

func toJSON(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// publish returns a key set with a fresh key for each ID.
func publish(t testing.TB, ids ...string) []byte {
	t.Helper()
	entries := make([]entry, 0, len(ids))
	for _, id := range ids {
		entries = append(entries, jwkOf(t, id, edKey(t)))
	}
	return jwksOf(t, entries...)
}

func pemOf(t testing.TB, public any) []byte {
	t.Helper()
	data, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pemBlock("PUBLIC KEY", data)
}

func pemBlock(kind string, data []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data})
}
