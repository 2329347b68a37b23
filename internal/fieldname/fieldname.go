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

// FoldsTo reports whether [Fold] of a name is this form, without an allocation. A name
// of a header field is ASCII. Other names are not compared.
func FoldsTo(name, folded string) bool {
	if len(name) != len(folded) {
		return false
	}
	for i := range len(name) {
		if fold(name[i]) != folded[i] {
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
