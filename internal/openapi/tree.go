// Package openapi says in an OpenAPI 3 document what a gate in front of the
// described API asks for. What the document has already stays, in its order.
//
// A document comes from an upstream or a file, and is not trusted: it is read
// within bounds, and one that two readers could understand differently is
// refused.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// MaxDepth is how deeply objects and arrays may be nested.
const MaxDepth = 100

// Object is a JSON object that keeps the order of its members. A value is an
// *Object, []any, string, json.Number, bool or nil.
type Object struct {
	names  []string
	values map[string]any
}

// NewObject makes an object of names and values in turn.
func NewObject(members ...any) *Object {
	o := new(Object)
	for i := 0; i+1 < len(members); i += 2 {
		if name, ok := members[i].(string); ok {
			o.Set(name, members[i+1])
		}
	}
	return o
}

// Get returns a member, nil if there is none.
func (o *Object) Get(name string) any { return o.values[name] }

// Has reports whether there is a member.
func (o *Object) Has(name string) bool {
	_, ok := o.values[name]
	return ok
}

// Set replaces a member, or adds it at the end.
func (o *Object) Set(name string, value any) {
	if o.values == nil {
		o.values = make(map[string]any)
	}
	if _, known := o.values[name]; !known {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// Names returns the names of the members in order.
func (o *Object) Names() []string { return slices.Clone(o.names) }

// object returns a member that is an object, nil if it is none.
func (o *Object) object(name string) *Object {
	member, _ := o.values[name].(*Object)
	return member
}

// Errors about documents.
var (
	errDepth    = errors.New("nested too deeply")
	errTrailing = errors.New("text after the document")
)

// Parse reads a document in JSON.
func Parse(data []byte) (*Object, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	value, err := decode(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	document, ok := value.(*Object)
	if !ok {
		return nil, errors.New("the document is no object")
	}
	return document, nil
}

func decode(d *json.Decoder, depth int) (any, error) {
	if depth > MaxDepth {
		return nil, errDepth
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return decodeObject(d, depth)
	case json.Delim('['):
		return decodeArray(d, depth)
	}
	return token, nil
}

func decodeObject(d *json.Decoder, depth int) (any, error) {
	object := new(Object)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok || object.Has(name) {
			return nil, fmt.Errorf("a member name is there twice at byte %d", d.InputOffset())
		}
		value, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		object.Set(name, value)
	}
	_, err := d.Token() // the closing brace
	return object, err
}

func decodeArray(d *json.Decoder, depth int) (any, error) {
	array := []any{}
	for d.More() {
		value, err := decode(d, depth+1)
		if err != nil {
			return nil, err
		}
		array = append(array, value)
	}
	_, err := d.Token() // the closing bracket
	return array, err
}

// MarshalJSON writes the members in order.
func (o *Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range o.names {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := encode(&b, name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := encode(&b, o.values[name]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// String is the object as JSON.
func (o *Object) String() string {
	text, err := o.MarshalJSON()
	if err != nil {
		return ""
	}
	return string(text)
}

// encode writes a value without the escapes that HTML would need.
func encode(b *bytes.Buffer, value any) error {
	switch value := value.(type) {
	case *Object:
		text, err := value.MarshalJSON()
		b.Write(text)
		return err
	case []any:
		b.WriteByte('[')
		for i, element := range value {
			if i > 0 {
				b.WriteByte(',')
			}
			if err := encode(b, element); err != nil {
				return err
			}
		}
		b.WriteByte(']')
		return nil
	}
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line end
	return nil
}

// Write returns a document as JSON, with an indent or without any.
func Write(document *Object, indent string) ([]byte, error) {
	text, err := document.MarshalJSON()
	if err != nil || indent == "" {
		return text, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, text, "", indent); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// equal compares values; the order of members does not matter.
func equal(x, y any) bool {
	switch x := x.(type) {
	case *Object:
		y, ok := y.(*Object)
		return ok && len(x.names) == len(y.names) && !slices.ContainsFunc(x.names, func(name string) bool {
			return !y.Has(name) || !equal(x.values[name], y.values[name])
		})
	case []any:
		y, ok := y.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	}
	return x == y
}
