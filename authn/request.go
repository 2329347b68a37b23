package authn

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/steps"
	"github.com/excorp/caddy-require-auth/store"
)

// MaxCredential is the size in bytes from which on a credential is refused
// before anything of it is decoded.
const MaxCredential = 16 << 10

// maxAuthorization bounds the field Authorization: a credential, and room for
// the name of its scheme.
const maxAuthorization = MaxCredential + 64

// ErrTooLarge is the reason why a credential over [MaxCredential] is refused:
// with 431, and not with 401, which would make clients log in again and come
// back with a credential of the same size.
var ErrTooLarge = errors.New("the credential is over 16 KiB")

// Request is an HTTP request with what several schemes read from it parsed
// once. It is used by one goroutine.
type Request struct {
	*http.Request

	// Trace collects what is checked; nil for a request that is judged.
	Trace *trace.Trace

	authorization Authorization
	problem       error
	posted        url.Values // nil until a form was read
	names         *Names
	query         found
	cookies       found
	gate          gateAccess
	spent         []store.Key

	digested string // the credential that digest is of
	digest   store.Key
}

// NewRequest reads the Authorization field of r.
func NewRequest(r *http.Request) *Request {
	request := new(Request)
	request.Read(r)
	return request
}

// Expect says where all schemes look, so that what they look at is read once and
// not once for each.
func (r *Request) Expect(names *Names) {
	if r.names != names {
		r.names, r.query, r.cookies = names, found{}, found{}
	}
}

// Read makes r the request as it is now, and reads its Authorization field. A form
// that was read before stays: its body may be gone.
func (r *Request) Read(from *http.Request) {
	r.Request = from
	r.authorization, r.problem = ParseAuthorization(from.Header["Authorization"])
}

// Authorization returns the credentials of the Authorization field, the zero
// value without one. The error, if any, makes the whole request malformed.
func (r *Request) Authorization() (Authorization, error) {
	return r.authorization, r.problem
}

// DigestOf returns the digest of a whole credential. It computes the digest of one
// credential once.
func (r *Request) DigestOf(credential string) store.Key {
	if r.digested != credential || credential == "" {
		steps.Add(len(credential))
		var room [2048]byte // nearly all fit, which saves an allocation for each request
		r.digested, r.digest = credential, sha256.Sum256(append(room[:0], credential...))
	}
	return r.digest
}

// Authorization is the parsed value of an Authorization field (RFC 9110 §11.4).
type Authorization struct {
	// Scheme is the authentication scheme as the client spelled it.
	Scheme string
	// Value is what follows the scheme, without the spaces around it.
	Value string
}

// Is reports whether the credentials are of the named scheme; names are
// compared without case (RFC 9110 §11.1).
func (a Authorization) Is(scheme string) bool {
	return strings.EqualFold(a.Scheme, scheme)
}

// withDigits are names of authentication schemes that have digits in them.
var withDigits = []string{"AWS4-HMAC-SHA256", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAuth2"}

// IsScheme reports whether the first word of an Authorization field can be told in
// a log: the name of a scheme, with a colon behind it by mistake or without. A word
// with digits may be a key that came without a scheme.
func IsScheme(word string) bool {
	if slices.ContainsFunc(withDigits, func(name string) bool { return strings.EqualFold(name, word) }) {
		return true
	}
	name := strings.TrimSuffix(word, ":")
	plain := func(c rune) bool { return c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
	return name != "" && len(name) <= 20 && !strings.ContainsFunc(name, func(c rune) bool { return !plain(c) })
}

// Errors of [ParseAuthorization].
var (
	ErrRepeatedAuthorization = errors.New("more than one Authorization field")
	ErrJoinedAuthorization   = errors.New("several credentials joined in one Authorization field")
)

// ParseAuthorization splits the value of the one Authorization field there may
// be (RFC 9110 §5.3, §11.6.2). Several fields, and several credentials joined
// by commas, are errors: taking one of them would leave it to chance which one
// the upstream takes. A field over the bound is [ErrTooLarge]. Everything else
// is returned as it stands; whether it is a usable credential is for its scheme
// to say.
func ParseAuthorization(fields []string) (Authorization, error) {
	if len(fields) == 0 {
		return Authorization{}, nil
	}
	if len(fields) > 1 {
		return Authorization{}, ErrRepeatedAuthorization
	}
	if len(fields[0]) > maxAuthorization {
		return Authorization{}, ErrTooLarge
	}
	field := strings.Trim(fields[0], " \t")
	if strings.IndexByte(field, ',') >= 0 && joined(field) {
		return Authorization{}, ErrJoinedAuthorization
	}
	end := strings.IndexAny(field, " \t")
	if end < 0 {
		return Authorization{Scheme: field}, nil
	}
	// Only spaces separate (1*SP); a tab stays and spoils the value.
	value := strings.TrimLeft(field[end:], " ")
	if len(value) > MaxCredential {
		return Authorization{}, ErrTooLarge
	}
	return Authorization{Scheme: field[:end], Value: value}, nil
}

// joined reports whether, after a comma outside quotes, another pair of a
// scheme and credentials begins. A parameter (`name=value`) does not. It goes
// through the field once, whatever stands there.
func joined(field string) bool {
	const elsewhere = -1
	quoted, name := false, elsewhere // name is where that of a member begins
	for i := 0; i < len(field); i++ {
		steps.Add(1)
		switch c := field[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted, name = !quoted, elsewhere
		case quoted:
		case c == ',':
			name = i + 1
		case name == elsewhere:
		case name == i && (c == ' ' || c == '\t'):
			name = i + 1
		case c == ' ':
			for i+1 < len(field) && field[i+1] == ' ' {
				steps.Add(1)
				i++
			}
			if i+1 == len(field) || field[i+1] != '=' {
				return true
			}
			name = elsewhere
		case !tokenBytes[c]:
			name = elsewhere
		}
	}
	return false
}

// isToken reports whether s is a token of RFC 9110 §5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

// tokenBytes has a tchar of RFC 9110 §5.6.2 at its place.
var tokenBytes = func() (table [256]bool) {
	for c := byte(' ' + 1); c < 0x7f; c++ {
		table[c] = strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) < 0
	}
	return table
}()

// IsToken68 reports whether s is a token68 of RFC 9110 §11.2: the only form
// that Bearer, DPoP and Basic credentials have.
func IsToken68(s string) bool {
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		c := body[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return body != ""
}
