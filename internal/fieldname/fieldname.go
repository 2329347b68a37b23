// Package fieldname compares names of header fields as upstreams do that make
// variables of them.
package fieldname

import "strings"

// Fold brings a name to the form in which upstreams confuse it with others. CGI
// writes `-` as `_` (RFC 3875 §4.1.18), PHP `.` too, and lighttpd everything
// that is neither a letter nor a digit: `X-User`, `x_user` and `X!User` are all
// HTTP_X_USER there.
func Fold(name string) string {
	return strings.Map(func(c rune) rune {
		if c > 0x7f {
			return '-'
		}
		return rune(fold(byte(c)))
	}, name)
}

// FoldsTo reports whether [Fold] brings a name to this form, and allocates
// nothing for it. A name of a header field is ASCII; another one is not compared.
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
