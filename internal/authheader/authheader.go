// Package authheader reads the field Authorization, and checks the parts of challenges.
package authheader

import (
	"errors"
	"fmt"
	"net/textproto"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// MaxCredential bounds a credential, in bytes.
const MaxCredential = 16 << 10

// maxField bounds the field Authorization: a credential and the name of its scheme.
const maxField = MaxCredential + 64

// ErrTooLarge is the error for a credential over [MaxCredential].
var ErrTooLarge = errors.New("the credential is over 16 KiB")

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

// withDigits are the names of authentication schemes with digits.
var withDigits = []string{"AWS4-HMAC-SHA256", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAuth2"}

// IsScheme reports whether a log may show the first word of an Authorization field: the
// name of a scheme, even with a colon by mistake. A word with digits may be a key
// without a scheme.
func IsScheme(word string) bool {
	if slices.ContainsFunc(withDigits, func(name string) bool { return strings.EqualFold(name, word) }) {
		return true
	}
	name := strings.TrimSuffix(word, ":")
	plain := func(c rune) bool { return c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
	return name != "" && len(name) <= 20 && !strings.ContainsFunc(name, func(c rune) bool { return !plain(c) })
}

// Errors of [Parse].
var (
	ErrRepeated = errors.New("more than one Authorization field")
	ErrJoined   = errors.New("several credentials joined in one Authorization field")
)

// Parse splits the value of the Authorization field (RFC 9110 §5.3, §11.6.2). Several
// fields, or several credentials joined by commas, are errors: the upstream could use
// another one. A field over the bound is [ErrTooLarge]. Parse checks nothing else: its
// scheme checks the credential.
func Parse(fields []string) (Authorization, error) {
	if len(fields) == 0 {
		return Authorization{}, nil
	}
	if len(fields) > 1 {
		return Authorization{}, ErrRepeated
	}
	if len(fields[0]) > maxField {
		return Authorization{}, ErrTooLarge
	}
	field := textproto.TrimString(fields[0])
	if strings.IndexByte(field, ',') >= 0 && joined(field) {
		return Authorization{}, ErrJoined
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

// joined reports whether another scheme with credentials begins after a comma outside
// quotes. A parameter (`name=value`) does not count. It reads the field once.
func joined(field string) bool {
	const elsewhere = -1
	quoted, name := false, elsewhere // name is the start of a member's name
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

// IsToken reports whether s is a token of RFC 9110 §5.6.2.
func IsToken(s string) bool {
	for i := range len(s) {
		if !tokenBytes[s[i]] {
			return false
		}
	}
	return s != ""
}

// tokenBytes marks each tchar of RFC 9110 §5.6.2.
var tokenBytes = func() (table [256]bool) {
	for c := byte(' ' + 1); c < 0x7f; c++ {
		table[c] = strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) < 0
	}
	return table
}()

// IsToken68 reports whether s is a token68 of RFC 9110 §11.2, the only form of Bearer,
// DPoP and Basic credentials.
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

// IsScopeToken reports whether s is a scope-token of RFC 6749 §3.3.
func IsScopeToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// CheckParameter reports why a configured parameter of a challenge, such as the
// realm, cannot be sent; empty is the default. There is no reliable way to
// transport characters outside ASCII (RFC 7617 §3). Clients that search challenges
// with regular expressions must not find another parameter in the value.
func CheckParameter(name, value string) error {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c >= 0x7f {
			return fmt.Errorf("%s %q: only printable ASCII can be sent reliably (RFC 7617 §3)", name, value)
		}
	}
	for _, other := range []string{"scope=", "error=", "resource_metadata="} {
		if strings.Contains(value, other) {
			return fmt.Errorf("%s %q: %q would be read as a parameter by clients", name, value, other)
		}
	}
	return nil
}
