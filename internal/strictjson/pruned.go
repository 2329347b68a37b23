package strictjson

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// Shape names the decoded members of an object, each with the shape of its value. A
// value with an empty shape is decoded as a whole. An element of an array has the shape
// of the array.
type Shape map[string]Shape

// Skipped is the value of a member that the shape does not name.
type Skipped struct{}

// Pruned decodes one JSON value as [Value] does, but of its objects only the members in
// the shape. The others are checked as strictly, and are [Skipped].
func Pruned(text string, shape Shape) (any, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	d := decoder{text: text, names: make([]string, 0, manyNames)}
	value, err := d.prune(maxDepth, shape)
	if err != nil {
		return nil, err
	}
	return value, d.end()
}

// end refuses text after the value.
func (d *decoder) end() error {
	if d.space(); d.at < len(d.text) {
		return d.fail("text after the value")
	}
	return nil
}

// Members decodes one JSON object as [Object] does, but only the members that a
// function picks. The others are checked as strictly. An error of the function ends it.
func Members(text string, pick func(name string) (bool, error)) (map[string]any, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("not UTF-8")
	}
	d := decoder{text: text, names: make([]string, 0, manyNames)}
	if d.space(); d.peek() != '{' {
		return nil, d.fail("not an object")
	}
	members := make(map[string]any)
	err := d.parts(maxDepth, func(name string) error {
		picked, err := pick(name)
		switch {
		case err != nil:
			return err
		case !picked:
			return d.skip(maxDepth - 1)
		}
		members[name], err = d.value(maxDepth - 1)
		return err
	})
	if err != nil {
		return nil, err
	}
	return members, d.end()
}

func (d *decoder) prune(depth int, shape Shape) (any, error) {
	d.space()
	switch c := d.peek(); {
	case c == '{' && len(shape) > 0:
		members := make(map[string]any, len(shape))
		err := d.parts(depth, func(name string) (err error) {
			inner, decoded := shape[name]
			if !decoded {
				members[name] = Skipped{}
				return d.skip(depth - 1)
			}
			members[name], err = d.prune(depth-1, inner)
			return err
		})
		return members, err
	case c == '[' && len(shape) > 0:
		elements := []any{}
		err := d.parts(depth, func(string) error {
			element, err := d.prune(depth-1, shape)
			elements = append(elements, element)
			return err
		})
		return elements, err
	}
	return d.value(depth)
}

// skip checks a value without decoding it.
func (d *decoder) skip(depth int) error {
	switch c := d.peek(); {
	case c == '"':
		_, err := d.readString(false)
		return err
	case c == '{' || c == '[':
		return d.parts(depth, nil)
	case c == '-' || '0' <= c && c <= '9':
		literal, _, err := d.literal()
		// No other number is out of range.
		if err == nil && (len(literal) > 300 || strings.ContainsAny(literal, "eE")) {
			if _, err := strconv.ParseFloat(literal, 64); err != nil {
				return d.fail("number out of range")
			}
		}
		return err
	}
	_, err := d.value(depth)
	return err
}

// plainStrings goes past elements of an array that are strings without escapes, with a
// comma right behind each: most of what arrays hold. Another element follows them.
func (d *decoder) plainStrings() {
	at := d.at
	for at < len(d.text) && d.text[at] == '"' {
		start := at + 1
		end := start + plainPrefix(d.text[start:])
		if len(d.text)-end < 2 || d.text[end] != '"' || d.text[end+1] != ',' {
			break
		}
		at = end + 2
	}
	steps.Add(at - d.at)
	d.at = at
}

// parts reads an object or an array. At the beginning of each value it calls a function
// that reads it, with the name of the member; nil skips the values.
func (d *decoder) parts(depth int, each func(name string) error) error {
	if depth == 0 {
		return d.fail("nested too deeply")
	}
	isObject := d.peek() == '{'
	closing := d.peek() + 2 // in ASCII
	d.at++
	if d.take(closing) {
		return nil
	}
	names := names{first: len(d.names)}
	for {
		name := ""
		if isObject {
			var err error
			if name, err = d.memberName(); err != nil {
				return err
			}
			if !d.lax && !names.add(&d.names, name) {
				return &RepeatedError{Name: name, at: d.at}
			}
		}
		if err := d.part(depth, isObject, name, each); err != nil {
			return err
		}
		d.space()
		switch d.peek() {
		case closing:
			d.at++
			d.names = d.names[:names.first]
			return nil
		case ',':
			d.at++
		default:
			return d.fail("no comma between values")
		}
	}
}

// part reads one value of an object or an array, and the space before it.
func (d *decoder) part(depth int, ofObject bool, name string, each func(name string) error) error {
	d.space()
	if each != nil {
		return each(name)
	}
	if !ofObject {
		d.plainStrings()
	}
	return d.skip(depth - 1)
}

// manyNames is from how many names on a map finds a repeated one.
const manyNames = 16

// names are the members of one object so far, at the end of a list for all objects.
type names struct {
	first int
	many  map[string]struct{}
}

// add reports whether a name is new.
func (n *names) add(all *[]string, name string) bool {
	own := (*all)[n.first:]
	if n.many == nil {
		if slices.Contains(own, name) {
			return false
		}
		*all = append(*all, name)
		if len(own)+1 == manyNames {
			n.many = make(map[string]struct{}, 2*manyNames)
			for _, name := range (*all)[n.first:] {
				n.many[name] = struct{}{}
			}
		}
		return true
	}
	before := len(n.many)
	n.many[name] = struct{}{}
	return len(n.many) > before
}
