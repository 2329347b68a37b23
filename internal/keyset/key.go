// Package keyset finds the keys that may verify a token.
//
// Keys come from a document (a PEM file, a JWK, a JWK Set), from a shared secret, or
// from an identity provider. [Remote] fetches the keys of a provider. It keeps the last
// good set while the provider is down, and learns new keys while it is up. Every key is
// pinned to the algorithms that it may verify. So the header of a token never decides
// how a key is used (RFC 8725 §3.1).
package keyset

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"

	"filippo.io/edwards25519"
)

// Sizes of RSA keys, in bits. A smaller key must not be used (RFC 7518 §3.3). A larger
// key makes each signature check so slow that the key itself is an attack.
const (
	minRSABits = 2048
	maxRSABits = 16384
)

// The algorithms that each kind of key can verify, by their JWA names.
// "Ed25519" is the name RFC 9864 gives to what "EdDSA" does with such a key.
var (
	rsaAlgorithms     = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ed25519Algorithms = []string{"EdDSA", "Ed25519"}
)

// Key is a verification key, pinned to the algorithms that it may verify. Goroutines
// share keys, so they must not change.
type Key struct {
	// ID is the `kid`, an opaque string. It is empty for a key without one.
	ID string
	// Issuer is the `issuer` member that Microsoft Entra ID adds to a JWK. The key may
	// sign only tokens of this issuer. It can have a `{tenantid}`. Empty: any issuer.
	Issuer string
	// Algorithms are JWA names. It is never empty.
	Algorithms []string
	// Public is an *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, or a []byte for
	// an HMAC secret. Because of the latter it is excluded from JSON.
	Public any `json:"-"`
}

// Allows reports whether the key may verify signatures of alg.
func (k *Key) Allows(alg string) bool { return slices.Contains(k.Algorithms, alg) }

// Type is the `kty` of the key (RFC 7518 §6.1).
func (k *Key) Type() string {
	switch k.Public.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		return "EC"
	case ed25519.PublicKey:
		return "OKP"
	default:
		return "oct"
	}
}

// String describes the key without its material, so that %v cannot write a secret to a
// log.
func (k *Key) String() string {
	return fmt.Sprintf("key %q for %s", k.ID, strings.Join(k.Algorithms, ", "))
}

// GoString is String for %#v.
func (k *Key) GoString() string { return k.String() }

// newKey checks a public key and pins it. A non-empty alg of a JWK limits the key to
// this algorithm (RFC 7517 §4.4) and must fit it.
func newKey(id, alg string, public any) (*Key, error) {
	algorithms, err := algorithmsOf(public)
	if err != nil {
		return nil, err
	}
	if alg != "" && !slices.Contains(algorithms, alg) {
		return nil, fmt.Errorf("alg %.32q does not fit the key, which can verify %s", alg, strings.Join(algorithms, ", "))
	}
	if _, isRSA := public.(*rsa.PublicKey); isRSA && alg != "" {
		algorithms = []string{alg}
	}
	return &Key{ID: id, Algorithms: slices.Clone(algorithms), Public: public}, nil
}

// algorithmsOf returns what a sound public key can verify, or why it is invalid.
func algorithmsOf(public any) ([]string, error) {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return rsaAlgorithms, checkRSA(key)
	case *ecdsa.PublicKey:
		return ecdsaAlgorithms(key)
	case ed25519.PublicKey:
		return ed25519Algorithms, checkEd25519(key)
	default:
		return nil, fmt.Errorf("keys of type %T are not supported", public)
	}
}

func checkRSA(key *rsa.PublicKey) error {
	bits := key.N.BitLen()
	switch {
	case bits < minRSABits:
		return fmt.Errorf("an RSA key of %d bits is too short, %d are required (RFC 7518 §3.3)", bits, minRSABits)
	case bits > maxRSABits:
		return fmt.Errorf("an RSA key of %d bits is too long, %d are allowed", bits, maxRSABits)
	case key.N.Bit(0) == 0 || key.E < 3 || key.E%2 == 0:
		return errors.New("the modulus and the exponent of an RSA key are odd, and the exponent is at least 3")
	}
	return nil
}

// checkEd25519 refuses a point of small order, which the standard library accepts.
// Under such a key one signature is valid for every eighth text, or for every text. It
// also refuses an invalid point, or another spelling of one (RFC 8032 §5.1.3).
func checkEd25519(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("an Ed25519 key has %d bytes, not %d", ed25519.PublicKeySize, len(key))
	}
	point, err := new(edwards25519.Point).SetBytes(key)
	if err != nil || !bytes.Equal(point.Bytes(), key) {
		return errors.New("invalid point of Ed25519, or another spelling of one")
	}
	if new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return errors.New("the key is a point of small order, for which everyone can forge signatures")
	}
	return nil
}

// ecdsaAlgorithms returns the algorithm of a curve (RFC 7518 §3.4), and refuses a point
// that is not on the curve.
func ecdsaAlgorithms(key *ecdsa.PublicKey) ([]string, error) {
	if _, err := key.ECDH(); err != nil {
		return nil, fmt.Errorf("the point of the key is not valid on its curve: %w", err)
	}
	switch key.Curve {
	case elliptic.P256():
		return []string{"ES256"}, nil
	case elliptic.P384():
		return []string{"ES384"}, nil
	case elliptic.P521():
		return []string{"ES512"}, nil
	default:
		return nil, fmt.Errorf("curve %s is not supported", key.Curve.Params().Name)
	}
}
