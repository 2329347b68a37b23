package strictjson

import (
	"errors"
	"unicode/utf8"
)

// walkDepth is how deeply a value can be nested that is walked and not decoded.
const walkDepth = 128

// Cursor is a place in a JSON text that is read once from its beginning to its end.
// Values are checked for their syntax alone, so repeated names are the caller's
// matter.
type Cursor struct {
	d     decoder
	depth int
}

// Walk reads a text that is an object or an array, see [Cursor.Walk].
func Walk(text string, each func(c *Cursor, name string) error) error {
	if !utf8.ValidString(text) {
		return errors.New("not UTF-8")
	}
	c := &Cursor{d: decoder{text: text, lax: true}, depth: walkDepth}
	c.d.space()
	if err := c.Walk(each); err != nil {
		return err
	}
	if c.d.space(); c.d.at < len(text) {
		return c.d.fail("text after the value")
	}
	return nil
}

// Walk calls a function at each member of the current object, with its name. In an
// array it does so at each element, with an empty name. The function can read the value
// there, or else Walk skips it. Then the cursor is at the end of the object or the
// array. The error for another value is [ErrScalar].
func (c *Cursor) Walk(each func(c *Cursor, name string) error) error {
	if kind := c.Peek(); kind != '{' && kind != '[' {
		return ErrScalar
	}
	depth := c.depth
	defer func() { c.depth = depth }()
	return c.d.parts(depth, func(name string) error {
		c.depth = depth - 1
		start := c.d.at
		if err := each(c, name); err != nil || c.d.at > start {
			return err
		}
		return c.d.skip(c.depth)
	})
}

// Position is where the cursor is in the text, in bytes.
func (c *Cursor) Position() int { return c.d.at }

// Peek is the byte at the cursor: how the value there begins.
func (c *Cursor) Peek() byte { return c.d.peek() }

// Text reads the string at the cursor. The error for another value is of its syntax.
func (c *Cursor) Text() (string, error) { return c.d.string() }

// ErrScalar says that a value is neither an object nor an array.
var ErrScalar = errors.New("neither an object nor an array")

// memberName reads the name of a member and the colon after it.
func (d *decoder) memberName() (string, error) {
	d.space()
	name, err := d.string()
	if err == nil && !d.take(':') {
		err = d.fail("no colon after a name")
	}
	return name, err
}
