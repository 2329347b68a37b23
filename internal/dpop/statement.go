package dpop

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// maxProof is how long a proof may be. One with an RSA key of 4096 bits and a
// long URL has about half of it.
const maxProof = 8 << 10

// statement is a proof taken apart, not yet verified.
type statement struct {
	claims    map[string]any
	signed    string // what the signature covers
	signature []byte

	algorithm string
	key       map[string]any // the JWK
}

// parse takes the one proof apart (RFC 9449 §4.3, items 1 and 2), which has
// exactly three non-empty base64url parts without padding (RFC 7515 §7.1).
func parse(fields []string) (*statement, error) {
	if len(fields) != 1 {
		return nil, fmt.Errorf("%d DPoP fields instead of one", len(fields))
	}
	text := fields[0]
	if len(text) > maxProof {
		return nil, fmt.Errorf("longer than %d bytes", maxProof)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 || slices.Contains(parts, "") {
		return nil, errors.New("not three parts separated by dots")
	}
	header, err := object(parts[0], headerNames)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	s := &statement{signed: text[:len(parts[0])+1+len(parts[1])]}
	if err := s.readHeader(header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if s.claims, err = object(parts[1], claimNames); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if s.signature, err = decode(parts[2]); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return s, nil
}

// The members that this package gives a meaning to.
var (
	headerNames = []string{"typ", "alg", "jwk", "crit", "b64"}
	claimNames  = []string{"jti", "htm", "htu", "iat", "ath", "nonce"}
)

// object decodes one part that is a JSON object.
func object(part string, names []string) (map[string]any, error) {
	data, err := decode(part)
	if err != nil {
		return nil, err
	}
	members, err := strictjson.Object(data)
	if err != nil {
		return nil, err
	}
	return members, checkSpelling(members, names)
}

// checkSpelling refuses a known name in other letter case: a reader that folds
// case, as many do, would understand the proof differently.
func checkSpelling(members map[string]any, names []string) error {
	for name := range members {
		lower := strings.ToLower(name)
		if lower != name && slices.Contains(names, lower) {
			return fmt.Errorf("%s is spelled in other letter case", lower)
		}
	}
	return nil
}

var errNotBase64 = errors.New("not base64url without padding")

// decode decodes base64url strictly, so that a proof has one spelling only.
// The decoder of the standard library skips line breaks.
func decode(part string) ([]byte, error) {
	if strings.ContainsAny(part, "\r\n") {
		return nil, errNotBase64
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errNotBase64
	}
	return data, nil
}

// readHeader checks what RFC 9449 §4.3 says in items 4, 5 and 7, and refuses
// parameters that would change what the signature means (RFC 7515 §4.1.11, RFC
// 7797). Keys come from jwk only; kid, jku, x5u and x5c are ignored.
func (s *statement) readHeader(header map[string]any) error {
	if !isProofType(header["typ"]) {
		return errors.New("typ is not dpop+jwt")
	}
	algorithm, isText := header["alg"].(string)
	if !isText || !slices.Contains(Algorithms(), algorithm) {
		return errors.New("alg is missing or not supported")
	}
	for _, name := range []string{"crit", "b64"} {
		if _, present := header[name]; present {
			return fmt.Errorf("%s is not understood", name)
		}
	}
	key, isObject := header["jwk"].(map[string]any)
	if !isObject {
		return errors.New("jwk is missing or not an object")
	}
	s.algorithm, s.key = algorithm, key
	return checkPublic(key)
}

// isProofType knows dpop+jwt as the media type that it is: in any letter case,
// and with application/ in front, which is the same (RFC 7515 §4.1.9).
func isProofType(value any) bool {
	text, isText := value.(string)
	return isText && (strings.EqualFold(text, "dpop+jwt") || strings.EqualFold(text, "application/dpop+jwt"))
}
