package jose

import (
	"bytes"
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
)

// JWS is a compact JWS with a JSON object for a payload, not verified yet.
type JWS struct {
	Header map[string]any
	// Claims must not be believed before [JWS.Verify].
	Claims    map[string]any
	signed    string // what the signature covers
	signature []byte

	header string // as it was written
	reader *Reader
}

// Reader takes texts of one kind apart.
//
// Header and Claims name the members that a caller gives a meaning to. In other
// letter case they are refused: a reader that folds case, as many do, would
// understand something else.
type Reader struct {
	Header, Claims []string

	// SameHeaders says that many texts have the same header, as all tokens of
	// a key do: those of texts whose signature was good are remembered, and
	// must not be changed.
	SameHeaders bool

	headers sync.Map // text to map[string]any
	count   atomic.Int32
}

// maxHeaders bounds the headers that a reader remembers. Only who has a key of
// the issuer can add to them.
const maxHeaders = 1000

// Parse takes a text apart. It accepts exactly three non-empty base64url parts
// without padding, whose first two are JSON objects without repeated members.
// It refuses `crit` and `b64`, which change what the signature means (RFC 7515
// §4.1.11, RFC 7797). Errors repeat nothing of the text.
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
	if j.Claims, err = object(claims, r.Claims); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if j.signature, err = decode(signature); err != nil {
		return nil, fmt.Errorf("signature: %w", err)
	}
	return j, nil
}

// IsEncrypted reports whether a text has the form of an encrypted token: a compact
// JWE (RFC 7516 §7.1).
func IsEncrypted(text string) bool {
	header, _, _ := strings.Cut(text, ".")
	if strings.Count(text, ".") != 4 {
		return false
	}
	members, err := object(header, nil)
	return err == nil && members["enc"] != nil
}

func (r *Reader) parseHeader(header string) (map[string]any, error) {
	if known, found := r.headers.Load(header); found {
		return known.(map[string]any), nil
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

// remember keeps a header that was part of a good text.
func (r *Reader) remember(header string, members map[string]any) {
	if !r.SameHeaders || r.count.Load() >= maxHeaders {
		return
	}
	if _, known := r.headers.Load(header); known {
		return
	}
	if _, known := r.headers.LoadOrStore(strings.Clone(header), members); !known {
		r.count.Add(1)
	}
}

// Claims decodes the claims of a text that was parsed and verified before;
// they are nil for one that was not.
func Claims(text string) map[string]any {
	_, rest, _ := strings.Cut(text, ".")
	part, _, _ := strings.Cut(rest, ".")
	claims, err := object(part, nil)
	if err != nil {
		return nil
	}
	return claims
}

// Numbers decodes the claims once more, with numbers as they are written.
func (j *JWS) Numbers() map[string]any {
	_, part, _ := strings.Cut(j.signed, ".")
	data, err := decode(part)
	if err != nil {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
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
	members, err := strictjson.Object(data)
	if err != nil {
		return nil, err
	}
	return members, CheckSpelling(members, names)
}

// CheckSpelling refuses a known name in other letter case.
func CheckSpelling(members map[string]any, names []string) error {
	for name := range members {
		if isLower(name) {
			continue // as nearly all are: no other spelling folds to it
		}
		for _, known := range names {
			if strings.EqualFold(name, known) {
				return fmt.Errorf("%s is spelled in other letter case", known)
			}
		}
	}
	return nil
}

// isLower reports whether a name has neither capitals nor letters outside
// ASCII, some of which fold to letters in it.
func isLower(name string) bool {
	for i := range len(name) {
		if c := name[i]; c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

var errNotBase64 = errors.New("not base64url without padding")

// decode decodes base64url strictly: what is accepted has one spelling only, so
// that it cannot come back under another one. The decoder of the standard
// library skips line breaks, which are not in the alphabet either.
func decode(part string) ([]byte, error) {
	steps.Add(len(part))
	if strings.ContainsAny(part, "\r\n") {
		return nil, errNotBase64
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, errNotBase64
	}
	return data, nil
}

// verifiers are jwx's signature checks by JWA name. They work on a signing
// input that was already split and checked, so jwx parses nothing of a
// stranger's. Whatever is not here, `none` above all, does not exist.
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

// Algorithms returns the names of the algorithms that can be verified, sorted.
func Algorithms() []string { return slices.Sorted(maps.Keys(verifiers)) }

// Supported reports whether an algorithm can be verified.
func Supported(algorithm string) bool { return verifiers[algorithm] != nil }

var errBadSignature = errors.New("the signature does not fit the key")

// Verify checks the signature. Whether the key may be used with the algorithm
// is for the caller to know.
func (j *JWS) Verify(algorithm string, key any) error {
	verifier := verifiers[algorithm]
	if verifier == nil || verifier.Verify([]byte(j.signed), j.signature, key) != nil {
		return errBadSignature
	}
	j.reader.remember(j.header, j.Header)
	return nil
}
