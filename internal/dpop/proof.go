package dpop

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/jose"
)

// maxProof bounds a proof, in bytes. One with an RSA key of 4096 bits and a long URL
// has about half of it.
const maxProof = 8 << 10

// unverifiedProof is a parsed proof before its verification.
type unverifiedProof struct {
	*jose.JWS
	algorithm string
	key       map[string]any // the JWK
}

// reader knows the members that have a meaning in this package.
var reader = jose.Reader{
	Header: []string{"typ", "alg", "jwk", "crit", "b64"},
	Claims: []string{"jti", "htm", "htu", "iat", "ath", "nonce"},
}

// parse parses the only proof of a request (RFC 9449 §4.3, items 1 and 2).
func parse(fields []string) (*unverifiedProof, error) {
	if len(fields) != 1 {
		return nil, fmt.Errorf("%d DPoP fields instead of one", len(fields))
	}
	if len(fields[0]) > maxProof {
		return nil, fmt.Errorf("longer than %d bytes", maxProof)
	}
	signed, err := reader.Parse(fields[0])
	if err != nil {
		return nil, err
	}
	s := &unverifiedProof{JWS: signed}
	if err := s.readHeader(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	return s, nil
}

// readHeader makes the checks 4, 5 and 7 of RFC 9449 §4.3. Keys come from jwk only. It
// ignores kid, jku, x5u and x5c.
func (s *unverifiedProof) readHeader() error {
	header := s.Header
	if !isProofType(header["typ"]) {
		return errors.New("typ is not dpop+jwt")
	}
	algorithm, isText := header["alg"].(string)
	if !isText || !slices.Contains(Algorithms(), algorithm) {
		return errors.New("alg is missing or not supported")
	}
	key, isObject := header["jwk"].(map[string]any)
	if !isObject {
		return errors.New("jwk is missing or not an object")
	}
	s.algorithm, s.key = algorithm, key
	return checkPublic(key)
}

// isProofType reports whether a type is the media type dpop+jwt, in any letter case and
// with or without application/ (RFC 7515 §4.1.9).
func isProofType(value any) bool {
	text, isText := value.(string)
	return isText && (strings.EqualFold(text, "dpop+jwt") || strings.EqualFold(text, "application/dpop+jwt"))
}
