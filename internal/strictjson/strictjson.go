// Package strictjson decodes untrusted JSON (RFC 8259), and refuses what two readers
// could understand differently. Such input has a repeated member name, text that is not
// UTF-8, a lone surrogate, a number out of range, or text after the value.
// encoding/json accepts most of these, which RFC 7519 §4 forbids for claims.
//
// It decodes in one pass and without reflection, because every new token needs it.
package strictjson

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// maxDepth bounds the nesting of objects and arrays.
const maxDepth = 32

// Object decodes one JSON object. Members are string, bool, nil, int64 for
// integers that fit, float64 for other numbers, []any and map[string]any.
func Object[T string | []byte](data T) (map[string]any, error) {
	value, err := Value(data)
	if err != nil {
		return nil, err
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return object, nil
}

// Value decodes one JSON value, see [Object].
func Value[T string | []byte](data T) (any, error) {
	text := string(data)
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	d := decoder{text: text}
	value, err := d.value(maxDepth)
	if err != nil {
		return nil, err
	}
	return value, d.end()
}

type decoder struct {
	text string
	at   int

	names []string // of the members of the objects around, see [decoder.skip]
	lax   bool     // names may be repeated
}

// fail returns an error with a position. It never contains the text, which may be a
// secret.
func (d *decoder) fail(problem string) error {
	return fmt.Errorf("%s at byte %d", problem, d.at)
}

// RepeatedError means that an object has two members of one name.
type RepeatedError struct {
	// Name is untrusted text.
	Name string
	at   int
}

func (e *RepeatedError) Error() string { return fmt.Sprintf("repeated member name at byte %d", e.at) }

func (d *decoder) peek() byte {
	if d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

func (d *decoder) space() {
	if d.at < len(d.text) && d.text[d.at] <= ' ' {
		d.spaces()
	}
}

func (d *decoder) spaces() {
	start := d.at
	for d.at < len(d.text) && (d.text[d.at] == ' ' || d.text[d.at] == '\t' || d.text[d.at] == '\n' || d.text[d.at] == '\r') {
		d.at++
	}
	steps.Add(d.at - start)
}

func (d *decoder) take(c byte) bool {
	d.space()
	if d.peek() != c {
		return false
	}
	d.at++
	return true
}

func (d *decoder) object(depth int) (map[string]any, error) {
	if depth == 0 {
		return nil, d.fail("nested too deeply")
	}
	room := 2
	if depth == maxDepth {
		room = 14 // as many claims as nearly all tokens have, and as many as fit two groups of a map
	}
	d.at++
	members := make(map[string]any, room)
	if d.take('}') {
		return members, nil
	}
	for {
		d.space()
		name, err := d.string()
		if err != nil {
			return nil, err
		}
		if !d.take(':') {
			return nil, d.fail("no colon after a name")
		}
		before := len(members)
		if members[name], err = d.value(depth - 1); err != nil {
			return nil, err
		}
		if len(members) == before {
			return nil, &RepeatedError{Name: name, at: d.at}
		}
		if d.take('}') {
			return members, nil
		}
		if !d.take(',') {
			return nil, d.fail("no comma between members")
		}
	}
}

func (d *decoder) array(depth int) ([]any, error) {
	if depth == 0 {
		return nil, d.fail("nested too deeply")
	}
	d.at++
	elements := []any{}
	if d.take(']') {
		return elements, nil
	}
	for {
		element, err := d.value(depth - 1)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
		if d.take(']') {
			return elements, nil
		}
		if !d.take(',') {
			return nil, d.fail("no comma between elements")
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	d.space()
	switch c := d.peek(); {
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == '"':
		return d.string()
	case c == '-' || '0' <= c && c <= '9':
		return d.number()
	}
	for _, word := range words {
		if strings.HasPrefix(d.text[d.at:], word.text) {
			d.at += len(word.text)
			return word.value, nil
		}
	}
	return nil, d.fail("no value")
}

var words = []struct {
	text  string
	value any
}{{"true", true}, {"false", false}, {"null", nil}}

// string reads a string.
func (d *decoder) string() (string, error) { return d.readString(true) }

// readString reads a string, and returns it if keep is set.
func (d *decoder) readString(keep bool) (string, error) {
	if d.peek() != '"' {
		return "", d.fail("no string")
	}
	d.at++
	start := d.at
	d.at += plainPrefix(d.text[start:])
	if d.peek() == '"' {
		steps.Add(d.at - start)
		d.at++
		return d.text[start : d.at-1], nil
	}
	return d.readEscaped(start, keep)
}

// readEscaped reads the rest of a string that is not plain.
func (d *decoder) readEscaped(start int, keep bool) (string, error) {
	defer func() { steps.Add(d.at - start) }()
	var b strings.Builder
	for from := start; ; {
		if keep {
			b.WriteString(d.text[from:d.at])
		}
		switch c := d.peek(); {
		case d.at == len(d.text):
			return "", d.fail("string without an end")
		case c == '"':
			d.at++
			return b.String(), nil
		case c != '\\':
			return "", d.fail("control character in a string")
		}
		r, err := d.escape()
		if err != nil {
			return "", err
		}
		if keep {
			b.WriteRune(r)
		}
		from = d.at
		d.at += plainPrefix(d.text[from:])
	}
}

// escape reads an escape, or two for a surrogate pair.
func (d *decoder) escape() (rune, error) {
	d.at++
	switch c := d.peek(); c {
	case '"', '\\', '/':
		d.at++
		return rune(c), nil
	case 'b', 'f', 'n', 'r', 't':
		d.at++
		return rune("\b\f\n\r\t"[strings.IndexByte("bfnrt", c)]), nil
	case 'u':
		return d.codePoint()
	default:
		return 0, d.fail("unknown escape")
	}
}

// plainPrefix returns how many bytes come before the first quote, backslash or control
// character. It looks at eight bytes at a time: most of a body is text.
func plainPrefix(text string) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(text)-i >= 8; i += 8 {
		t := text[i : i+8]
		word := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		quote, backslash := word^(ones*'"'), word^(ones*'\\')
		// The highest bit of a byte is set where the byte is below a space, a quote or a
		// backslash. The lowest of these bits is exact; a borrow can set those above it.
		found := ((word - ones*' ') | (quote - ones) | (backslash - ones)) &^ word & highs
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for ; i < len(text); i++ {
		if c := text[i]; c == '"' || c == '\\' || c < ' ' {
			break
		}
	}
	return i
}

// codePoint reads the u and digits of one escape, or of a surrogate pair.
func (d *decoder) codePoint() (rune, error) {
	r, err := d.hexadecimal()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !strings.HasPrefix(d.text[d.at:], `\u`) {
		return 0, d.fail("lone surrogate")
	}
	d.at++
	low, err := d.hexadecimal()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, d.fail("lone surrogate")
	}
	return r, nil
}

func (d *decoder) hexadecimal() (rune, error) {
	if len(d.text)-d.at < 5 {
		return 0, d.fail("escape without an end")
	}
	r := rune(0)
	for _, c := range []byte(d.text[d.at+1 : d.at+5]) {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 || c < '0' {
			return 0, d.fail("no hexadecimal digit")
		}
		r = r<<4 | rune(digit)
	}
	d.at += 5
	return r, nil
}

// number reads a number. An integer that fits stays an integer, so that claims such as
// user numbers lose no digits.
func (d *decoder) number() (any, error) {
	literal, integer, err := d.literal()
	if err != nil {
		return nil, err
	}
	if integer {
		if n, err := strconv.ParseInt(literal, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return nil, d.fail("number out of range")
	}
	return f, nil
}

// literal reads the text of a number.
func (d *decoder) literal() (literal string, integer bool, err error) {
	start := d.at
	if d.peek() == '-' {
		d.at++
	}
	whole := d.at
	if !d.digits() || d.text[whole] == '0' && d.at-whole > 1 {
		return "", false, d.fail("bad number")
	}
	integer = true
	if d.peek() == '.' {
		integer = false
		d.at++
		if !d.digits() {
			return "", false, d.fail("bad number")
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		integer = false
		d.at++
		if c := d.peek(); c == '+' || c == '-' {
			d.at++
		}
		if !d.digits() {
			return "", false, d.fail("bad number")
		}
	}
	literal = d.text[start:d.at]
	steps.Add(len(literal))
	return literal, integer, nil
}

func (d *decoder) digits() bool {
	start := d.at
	for c := d.peek(); '0' <= c && c <= '9'; c = d.peek() {
		d.at++
	}
	return d.at > start
}
