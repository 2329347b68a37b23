package jose

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/internal/steps"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
	"github.com/excorp/caddy-require-auth/internal/zerocopy"
)

// JWS is a parsed compact JWS with a JSON object as payload. It is not verified.
type JWS struct {
	Header map[string]any

	// Claims are untrusted before [JWS.Verify]. They are nil before [JWS.DecodeClaims] if
	// the reader has early claims.
	Claims map[string]any

	signed    string // the signed part of the text
	payload   string
	read      map[string]any // of the payload: all claims, or those of [Reader.Early]
	all       bool           // whether read has all claims
	signature []byte

	header string // the header as written
	reader *Reader
}

// Reader parses texts of one kind.
//
// Header and Claims are the member names that have a meaning for the caller. Another
// letter case of them is refused, because many readers ignore case and would read
// something else.
type Reader struct {
	Header, Claims []string

	// Early are the claims that the caller gets before the signature is checked, from
	// [JWS.Early]. The others are only checked, so that a forged text costs little. Empty:
	// all of them.
	Early []string

	// SameHeaders means that many texts have the same header, as the tokens of one key
	// do. Then the reader caches the headers of verified texts. They must not change.
	SameHeaders bool

	headers sync.Map // text to map[string]any
	count   atomic.Int32
}

// maxHeaders bounds the cached headers. Only the holder of an issuer's key can add one.
const maxHeaders = 1000

// Parse parses a text. It accepts exactly three non-empty base64url parts without
// padding, whose first two are JSON objects without repeated members. It refuses `crit`
// and `b64`, which change the meaning of the signature (RFC 7515 §4.1.11, RFC 7797).
// Errors contain no part of the text.
func (r *Reader) Parse(text string) (*JWS, error) {
	header, rest, _ := strings.Cut(text, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	if header == "" || claims == "" || signature == "" || strings.Contains(signature, ".") {
		return nil, errors.New("not three parts separated by dots")
	}
	j := &JWS{signed: text[:len(header)+1+len(claims)], header: header, reader: r}
	var err error
	if j.Header, err = r.parseHeader(header); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err = j.readClaims(claims); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if j.signature, err = decode(signature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return j, nil
}

// smallClaims is the size of claims that are decoded in one pass, in bytes. Larger ones
// are read twice, so that a forged text costs little.
const smallClaims = 1 << 10

// readClaims checks the claims, and decodes at least those that the caller gets before
// the signature is checked.
func (j *JWS) readClaims(part string) error {
	payload, err := decode(part)
	if err != nil {
		return err
	}
	j.payload = zerocopy.String(payload)
	early := j.reader.Early
	switch {
	case len(early) == 0:
		return j.DecodeClaims()
	case len(payload) <= smallClaims:
		return j.decodeAll()
	}
	j.read, err = strictjson.Members(j.payload, func(name string) (bool, error) {
		return slices.Contains(early, name), checkSpelling(name, j.reader.Claims)
	})
	return err
}

func (j *JWS) decodeAll() error {
	members, err := strictjson.Object(j.payload)
	if err == nil {
		err = CheckSpelling(members, j.reader.Claims)
	}
	if err == nil {
		j.read, j.all = members, true
	}
	return err
}

// Early returns one of the claims that the reader names as early, and nil for another.
func (j *JWS) Early(name string) any {
	if !slices.Contains(j.reader.Early, name) {
		return nil
	}
	return j.read[name]
}

// DecodeClaims sets the claims. After an error there are none.
func (j *JWS) DecodeClaims() error {
	if !j.all {
		if err := j.decodeAll(); err != nil {
			return err
		}
	}
	j.Claims = j.read
	return nil
}

// IsEncrypted reports whether a text has the form of an encrypted token: a compact JWE
// (RFC 7516 §7.1).
func IsEncrypted(text string) bool {
	header, _, _ := strings.Cut(text, ".")
	if strings.Count(text, ".") != 4 {
		return false
	}
	members, err := object(header, nil)
	return err == nil && members["enc"] != nil
}

func (r *Reader) parseHeader(header string) (map[string]any, error) {
	if cached, found := r.headers.Load(header); found {
		return cached.(map[string]any), nil
	}
	members, err := object(header, r.Header)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"crit", "b64"} {
		if _, present := members[name]; present {
			return nil, fmt.Errorf("%s is not understood", name)
		}
	}
	return members, nil
}

// remember caches the header of a verified text.
func (r *Reader) remember(header string, members map[string]any) {
	if !r.SameHeaders || r.count.Load() >= maxHeaders {
		return
	}
	if _, found := r.headers.Load(header); found {
		return
	}
	if _, loaded := r.headers.LoadOrStore(strings.Clone(header), members); !loaded {
		r.count.Add(1)
	}
}

// Issuer returns the issuer that a text names, or an empty text.
func Issuer(text string) string {
	_, rest, _ := strings.Cut(text, ".")
	part, _, _ := strings.Cut(rest, ".")
	data, err := decode(part)
	if err != nil {
		return ""
	}
	claims, err := strictjson.Members(zerocopy.String(data), func(name string) (bool, error) { return name == "iss", nil })
	if err != nil {
		return ""
	}
	issuer, _ := claims["iss"].(string)
	return issuer
}

// Claims decodes the claims of a text that was verified before. They are nil for any
// other text.
func Claims(text string) map[string]any {
	_, rest, _ := strings.Cut(text, ".")
	part, _, _ := strings.Cut(rest, ".")
	claims, err := object(part, nil)
	if err != nil {
		return nil
	}
	return claims
}

// Numbers decodes the claims again, with the numbers as written.
func (j *JWS) Numbers() map[string]any {
	decoder := json.NewDecoder(strings.NewReader(j.payload))
	decoder.UseNumber()
	var claims map[string]any
	if decoder.Decode(&claims) != nil {
		return nil
	}
	return claims
}

// object decodes one part that is a JSON object.
func object(part string, names []string) (map[string]any, error) {
	data, err := decode(part)
	if err != nil {
		return nil, err
	}
	members, err := strictjson.Object(zerocopy.String(data))
	if err != nil {
		return nil, err
	}
	return members, CheckSpelling(members, names)
}

// CheckSpelling refuses one of the names in another letter case.
func CheckSpelling(members map[string]any, names []string) error {
	for name := range members {
		if err := checkSpelling(name, names); err != nil {
			return err
		}
	}
	return nil
}

func checkSpelling(name string, names []string) error {
	if isLower(name) {
		return nil // as nearly all are: no other spelling folds to it
	}
	for _, exact := range names {
		if strings.EqualFold(name, exact) {
			return fmt.Errorf("%s is spelled in other letter case", exact)
		}
	}
	return nil
}

// isLower reports whether a name has neither capitals nor letters beyond ASCII. Some of
// those fold to ASCII letters.
func isLower(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

var errNotBase64 = errors.New("not base64url without padding")

// decode decodes base64url strictly: a value has one accepted spelling only. The
// decoder of the standard library skips line breaks, which are not in the alphabet.
func decode(part string) ([]byte, error) {
	steps.Add(len(part))
	if strings.IndexByte(part, '\r') >= 0 || strings.IndexByte(part, '\n') >= 0 {
		return nil, errNotBase64
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errNotBase64
	}
	return data, nil
}

// verifiers are jwx's signature checks by JWA name. They get a signing input that was
// already split and checked, so jwx parses no text of a stranger. Other algorithms do
// not exist, above all `none`.
var verifiers = func() map[string]jws.Verifier {
	all := make(map[string]jws.Verifier)
	for _, algorithm := range []jwa.SignatureAlgorithm{
		jwa.RS256, jwa.RS384, jwa.RS512,
		jwa.ES256, jwa.ES384, jwa.ES512, jwa.EdDSA, jwa.HS256, jwa.HS384, jwa.HS512,
	} {
		verifier, err := jws.NewVerifier(algorithm)
		if err != nil {
			panic(err) // at start, and only if jwx drops an algorithm
		}
		all[algorithm.String()] = verifier
	}
	for _, verifier := range pssVerifiers {
		all[verifier.algorithm.String()] = verifier
	}
	all["Ed25519"] = all[jwa.EdDSA.String()] // the name of RFC 9864
	return all
}()

// Algorithms returns the names of the supported algorithms, sorted.
func Algorithms() []string { return slices.Sorted(maps.Keys(verifiers)) }

// Supported reports whether an algorithm is supported.
func Supported(algorithm string) bool { return verifiers[algorithm] != nil }

var errBadSignature = errors.New("the signature does not fit the key")

// Verify checks the signature. The caller must check that the key is for the algorithm.
func (j *JWS) Verify(algorithm string, key any) error {
	verifier := verifiers[algorithm]
	if verifier == nil || verifier.Verify(zerocopy.Bytes(j.signed), j.signature, key) != nil {
		return errBadSignature
	}
	j.reader.remember(j.header, j.Header)
	return nil
}
