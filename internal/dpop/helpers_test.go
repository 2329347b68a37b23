package dpop

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

const (
	target = "https://api.example.com/a"
	token  = "the.access.token"
)

// start is the time of the clock in tests.
var start = time.Unix(1_000_000_000, 0)

func at(now time.Time) func() time.Time { return func() time.Time { return now } }

func request(fields ...string) Request {
	return Request{Fields: fields, Method: "GET", URL: target + "?b=c#d", Token: token}
}

// members are claims or header parameters.
type members = map[string]any

// proof signs a proof that fits request at start, but for what is given.
func proof(t testing.TB, key crypto.Signer, claims, header members) string {
	t.Helper()
	all := members{"jti": "1", "htm": "GET", "htu": target, "iat": start.Unix(), "ath": dpoptest.Hash(token)}
	maps.Copy(all, claims)
	return dpoptest.Proof(t, key, all, header)
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// bigKey is the RSA key of 4096 bits in testdata. It takes seconds to generate one.
func bigKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	content, err := os.ReadFile("testdata/rsa-4096.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key.(*rsa.PrivateKey)
}

func rsaKey(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// with returns a JWK that is otherwise in some members; nil removes one.
func with(jwk members, changes members) members {
	changed := maps.Clone(jwk)
	for name, value := range changes {
		if changed[name] = value; value == nil {
			delete(changed, name)
		}
	}
	return changed
}

// part decodes one part of a proof.
func part(t testing.TB, proof string, index int) []byte {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(proof, ".")[index])
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

func toJSON(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mustBeInvalid wants an InvalidError for a certain reason.
func mustBeInvalid(t testing.TB, err error, reason string) {
	t.Helper()
	if _, ok := errors.AsType[*InvalidError](err); !ok {
		t.Fatalf("got %v, want an InvalidError: %s", err, reason)
	}
	if !strings.Contains(err.Error(), reason) {
		t.Errorf("refused because %q, want %q", err, reason)
	}
}

// memory is a Replay that forgets nothing.
type memory struct {
	keys map[[32]byte]time.Time
	err  error
}

func (m *memory) First(_ context.Context, _, key [32]byte, until time.Time) (bool, error) {
	if m.err != nil {
		return false, m.err
	}
	if m.keys == nil {
		m.keys = make(map[[32]byte]time.Time)
	}
	_, seen := m.keys[key]
	m.keys[key] = until
	return !seen, nil
}
