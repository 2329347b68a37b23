package dpop

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// algorithms are the algorithms of proofs: asymmetric ones only (RFC 9449 §4.2).
// Ed25519 is the name of RFC 9864 for what EdDSA does.
var algorithms = []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "PS256"}

// Algorithms returns the JWA names of the algorithms of proofs, in the order for a
// challenge (RFC 9449 §7.1).
func Algorithms() []string { return slices.Clone(algorithms) }

// maxRSABits bounds the cost of a signature check, because the client brings the key.
const maxRSABits = 4096

var (
	publicMembers  = []string{"kty", "crv", "x", "y", "n", "e"}
	privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
	keyNames       = slices.Concat(publicMembers, privateMembers)
)

// checkPublic refuses a private or symmetric key (RFC 9449 §4.3, item 7).
func checkPublic(key map[string]any) error {
	for _, name := range privateMembers {
		if _, present := key[name]; present {
			return fmt.Errorf("jwk has the private member %s", name)
		}
	}
	if err := jose.CheckSpelling(key, keyNames); err != nil {
		return fmt.Errorf("jwk: %w", err)
	}
	return nil
}

// verify checks the signature with the key in the header (RFC 9449 §4.3, item 6), and
// returns the key's thumbprint.
func (s *unverifiedProof) verify() (thumbprint string, err error) {
	key, thumbprint, err := readKey(s.key, s.algorithm)
	if err != nil {
		return "", err
	}
	if err := s.Verify(s.algorithm, key); err != nil {
		return "", err
	}
	return thumbprint, nil
}

var errBadKey = errors.New("jwk is not a valid public key for alg")

// readKey reads the members of a JWK that make up its key. Package keyset checks that
// the key is valid and fits.
func readKey(jwk map[string]any, algorithm string) (key any, thumbprint string, err error) {
	public := make(map[string]any, len(publicMembers))
	for _, name := range publicMembers {
		if value, present := jwk[name]; present {
			public[name] = value
		}
	}
	document, err := json.Marshal(public)
	if err != nil {
		return nil, "", errBadKey
	}
	set, err := keyset.Parse(document)
	if err != nil {
		return nil, "", errBadKey
	}
	fitting := set.Find("", algorithm)
	if len(fitting) != 1 {
		return nil, "", errBadKey
	}
	key = fitting[0].Public
	if long, isRSA := key.(*rsa.PublicKey); isRSA && long.N.BitLen() > maxRSABits {
		return nil, "", fmt.Errorf("jwk is an RSA key of more than %d bits", maxRSABits)
	}
	members, err := requiredMembers(key)
	if err != nil {
		return nil, "", errBadKey
	}
	for name, value := range members {
		if public[name] != value {
			return nil, "", fmt.Errorf("jwk spells %s otherwise than RFC 7518 §6 does", name)
		}
	}
	if document, err = json.Marshal(members); err != nil {
		return nil, "", errBadKey
	}
	return key, digest(document), nil
}

// requiredMembers are the members of a JWK for its thumbprint (RFC 7638 §3.2), spelled
// as in RFC 7518 §6. Coordinates have their full length, and numbers no leading zeros.
// Only then is the thumbprint the same everywhere. The hash is of their JSON, which
// encoding/json sorts.
func requiredMembers(key any) (map[string]string, error) {
	text := base64.RawURLEncoding.EncodeToString
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 0x04, x, y (SEC 1 §2.3.3)
		if err != nil {
			return nil, err
		}
		middle := 1 + len(point)/2
		return map[string]string{"kty": "EC", "crv": key.Curve.Params().Name, "x": text(point[1:middle]), "y": text(point[middle:])}, nil
	case ed25519.PublicKey:
		return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": text(key)}, nil
	case *rsa.PublicKey:
		return map[string]string{"kty": "RSA", "n": text(key.N.Bytes()), "e": text(big.NewInt(int64(key.E)).Bytes())}, nil
	default:
		return nil, errBadKey
	}
}
