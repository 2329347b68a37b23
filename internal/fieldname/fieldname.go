// Package fieldname compares names of header fields like upstreams that turn them into
// variables.
package fieldname

import "strings"

// Fold returns the form in which upstreams confuse a name with others. CGI writes `-`
// as `_` (RFC 3875 §4.1.18), PHP also `.`, and lighttpd everything except letters and
// digits. `X-User`, `x_user` and `X!User` all become HTTP_X_USER.
func Fold(name string) string {
	return strings.Map(func(c rune) rune {
		if c > 0x7f {
			return '-'
		}
		return rune(fold(byte(c)))
	}, name)
}

// Equal reports whether two names have the same [Fold], without an allocation. Names of
// header fields are ASCII. Other names are compared by their bytes.
func Equal(name, other string) bool {
	if len(name) != len(other) {
		return false
	}
	for i := range len(name) {
		if name[i] != other[i] && fold(name[i]) != fold(other[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return '-'
	}
}
