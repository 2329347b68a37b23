package authn_test

import (
	"errors"
	"fmt"
	"strings"
)

// read is a challenge as a client reads it.
type read struct {
	scheme string
	params []param
}

type param struct{ name, value string }

// get returns the value of a parameter.
func (r read) get(name string) (string, bool) {
	for _, p := range r.params {
		if p.name == name {
			return p.value, true
		}
	}
	return "", false
}

func (r read) names() string {
	names := make([]string, len(r.params))
	for i, p := range r.params {
		names[i] = p.name
	}
	return strings.Join(names, " ")
}

const tokenBytes = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// parse reads exactly one challenge. It implements the grammar of RFC 9110 §11 without
// the package under test. It accepts only what every client accepts: one space after
// the scheme, `, ` between parameters, and every value quoted. Names are unique, bytes
// are printable ASCII, and quoted pairs appear only where needed.
func parse(text string) (read, error) {
	for i := range len(text) {
		if text[i] < 0x20 || text[i] > 0x7e {
			return read{}, fmt.Errorf("byte %#x at %d", text[i], i)
		}
	}
	scheme, rest := takeToken(text)
	if scheme == "" {
		return read{}, errors.New("no scheme")
	}
	c := read{scheme: scheme}
	separator := " "
	for rest != "" {
		var found bool
		if rest, found = strings.CutPrefix(rest, separator); !found {
			return read{}, fmt.Errorf("no %q before %q", separator, rest)
		}
		separator = ", "
		var p param
		if p.name, rest = takeToken(rest); p.name == "" {
			return read{}, fmt.Errorf("no name before %q", rest)
		}
		if rest, found = strings.CutPrefix(rest, `="`); !found {
			return read{}, fmt.Errorf("no quoted value before %q", rest)
		}
		var err error
		if p.value, rest, err = takeQuoted(rest); err != nil {
			return read{}, err
		}
		for _, earlier := range c.params {
			if strings.EqualFold(earlier.name, p.name) {
				return read{}, fmt.Errorf("duplicate member %s", p.name)
			}
		}
		c.params = append(c.params, p)
	}
	return c, nil
}

func takeToken(text string) (token, rest string) {
	rest = strings.TrimLeft(text, tokenBytes)
	return text[:len(text)-len(rest)], rest
}

// takeQuoted reads up to and including the closing quote.
func takeQuoted(text string) (value, rest string, err error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return b.String(), text[i+1:], nil
		case '\\':
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return "", "", errors.New("a quoted pair that is not needed")
			}
		}
		b.WriteByte(text[i])
	}
	return "", "", errors.New("the quotes are not closed")
}
