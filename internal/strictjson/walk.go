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
	d := decoder{text: text}
	d.space()
	if c := d.peek(); c != '{' && c != '[' {
		return ErrScalar
	}
	if err := d.walk(walkDepth, each); err != nil {
		return err
	}
	if d.space(); d.at < len(d.text) {
		return d.fail("text after the value")
	}
	return nil
}

// ErrScalar says that a value is neither an object nor an array.
var ErrScalar = errors.New("neither an object nor an array")

// walk reads a value, and calls the function with each part of an object or array.
func (d *decoder) walk(depth int, each func(name string, start, end int) error) error {
	switch d.peek() {
	case '{', '[':
		return d.walkParts(depth, each)
	case '"':
		_, err := d.string()
		return err
	default:
		_, err := d.value(1)
		return err
	}
}

// walkParts reads an object or an array.
func (d *decoder) walkParts(depth int, each func(name string, start, end int) error) error {
	opening := d.peek()
	if depth == 0 {
		return d.fail("nested too deeply")
	}
	closing := opening + 2 // in ASCII
	d.at++
	if d.take(closing) {
		return nil
	}
	for {
		name := ""
		if opening == '{' {
			var err error
			if name, err = d.memberName(); err != nil {
				return err
			}
		}
		d.space()
		start := d.at
		if err := d.walk(depth-1, nil); err != nil {
			return err
		}
		if each != nil {
			if err := each(name, start, d.at); err != nil {
				return err
			}
		}
		if d.take(closing) {
			return nil
		}
		if !d.take(',') {
			return d.fail("no comma between values")
		}
	}
}

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
