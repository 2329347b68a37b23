package keyset

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// maxKeys is the largest number of keys in one document.
const maxKeys = 2000

// minSecretBytes is the size of the smallest hash. An HMAC key must not be shorter than
// the output of its hash function (RFC 7518 §3.2).
const minSecretBytes = 32

var pemMarker = []byte("-----BEGIN ")

// Parse reads verification keys from a PEM file, a JWK, a JWK Set or a JSON object of
// certificates by key ID (Firebase). The content decides which it is.
//
// A PEM file has one or several blocks of type PUBLIC KEY, RSA PUBLIC KEY or
// CERTIFICATE. All of them must be valid, because the operator wrote it. Of a
// certificate only the key counts, and neither its dates nor its chain. In a JWK Set,
// unusable keys are skipped if one remains (RFC 7517 §5), see [Set.Skipped].
func Parse(data []byte) (*Set, error) {
	set, err := parseDocument(data)
	if err != nil {
		return nil, err
	}
	set.fingerprint = fingerprint(data)
	return set, nil
}

// fingerprint is the beginning of a digest.
func fingerprint(document []byte) uint64 {
	digest := sha256.Sum256(document)
	return binary.BigEndian.Uint64(digest[:])
}

func parseDocument(data []byte) (*Set, error) {
	if len(data) > idp.MaxDocument {
		return nil, fmt.Errorf("a document of keys may have %d bytes, not %d", idp.MaxDocument, len(data))
	}
	switch content := bytes.TrimSpace(data); {
	case len(content) == 0:
		return nil, errors.New("the document of keys is empty")
	case content[0] == '{':
		return parseJWKs(content)
	case bytes.Contains(content, pemMarker):
		return parsePEM(content)
	default:
		return nil, errors.New("neither PEM nor a JWK nor a JWK Set nor certificates by key ID")
	}
}

// FromSecret makes a set of one HMAC key without an ID. The secret must have at least
// the size of the hash (RFC 7518 §3.2). So 32 bytes allow HS256, 48 also HS384, and 64
// also HS512. It must be random and no password (RFC 8725 §3.5). A document of keys is
// invalid, because public keys are not secret (RFC 8725 §2.1).
func FromSecret(secret []byte) (*Set, error) {
	if len(secret) < minSecretBytes {
		return nil, fmt.Errorf("an HMAC secret needs at least %d bytes, not %d (RFC 7518 §3.2)", minSecretBytes, len(secret))
	}
	if _, err := Parse(secret); err == nil || bytes.Contains(secret, pemMarker) {
		return nil, errors.New("a document of keys is not an HMAC secret (RFC 8725 §2.1)")
	}
	algorithms := []string{"HS256"}
	if len(secret) >= 48 {
		algorithms = append(algorithms, "HS384")
	}
	if len(secret) >= 64 {
		algorithms = append(algorithms, "HS512")
	}
	set := newSet([]*Key{{Algorithms: algorithms, Public: slices.Clone(secret)}}, nil)
	set.fingerprint = fingerprint(secret)
	return set, nil
}
