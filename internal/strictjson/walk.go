package strictjson

import (
	"errors"
	"unicode/utf8"
)

// walkDepth is how deeply a value may be nested that is walked and not decoded.
const walkDepth = 128

// Walk calls a function with each member of an object, or each element of an array,
// whose name is empty: its name, and where its value begins and ends in the text.
// Values are checked for their syntax alone, so repeated names are the caller's
// matter. The error for another value is [ErrScalar].
func Walk(text string, each func(name string, start, end int) error) error {
	if !utf8.ValidString(text) {
		return errors.New("not UTF-8")
	}
	d := decoder{text: text, lax: true}
	d.space()
	if c := d.peek(); c != '{' && c != '[' {
		return ErrScalar
	}
	err := d.parts(walkDepth, func(name string) error {
		start := d.at
		if err := d.skip(walkDepth - 1); err != nil {
			return err
		}
		return each(name, start, d.at)
	})
	if err != nil {
		return err
	}
	if d.space(); d.at < len(d.text) {
		return d.fail("text after the value")
	}
	return nil
}

// ErrScalar says that a value is neither an object nor an array.
var ErrScalar = errors.New("neither an object nor an array")

// memberName reads the name of a member and the colon behind it.
func (d *decoder) memberName() (string, error) {
	d.space()
	name, err := d.string()
	if err == nil && !d.take(':') {
		err = d.fail("no colon after a name")
	}
	return name, err
}

// Text decodes a value that is a string; ok is false for another one.
func Text(value string) (text string, ok bool) {
	d := decoder{text: value}
	text, err := d.string()
	return text, err == nil && d.at == len(value)
}
