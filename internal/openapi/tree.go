// Package openapi writes the requirements of gates into an OpenAPI 3 document, and
// reads the requirements of a document for its operations. Existing members, their
// order and comments stay.
//
// A document comes from an upstream or a file and is not trusted. It is read
// within bounds, and an ambiguous one is refused.
package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Bounds of a document: how deeply its values are nested, and how many there
// are, with every alias of YAML expanded.
const (
	MaxDepth  = 100
	maxValues = 1_000_000
)

var errBounds = fmt.Errorf("more than %d values, or nested more than %d deep", maxValues, MaxDepth)

// reader counts the values of a document.
type reader struct {
	remaining int

	// Of a document in JSON: its text, and the line of an offset in it.
	data         []byte
	offset, line int
}

// lineAt returns the line of the text before an offset, which must not decrease.
func (r *reader) lineAt(offset int64) int {
	r.line += bytes.Count(r.data[r.offset:offset], []byte("\n"))
	r.offset = int(offset)
	return r.line
}

// enter counts one value.
func (r *reader) enter(line, depth int) error {
	if r.remaining--; depth > MaxDepth || r.remaining < 0 {
		return fmt.Errorf("line %d: %w", line, errBounds)
	}
	return nil
}

// Parse reads a document in JSON. The YAML parser would refuse valid JSON, such
// as the escapes \/ and \ud83d\ude00.
func Parse(data []byte) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	root, err := (&reader{remaining: maxValues, data: data, line: 1}).decode(decoder, 0)
	if err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the document")
	}
	return documentOf(root)
}

// ParseYAML reads a document in YAML.
func ParseYAML(data []byte) (*yaml.Node, error) {
	var parsed yaml.Node
	if err := yaml.Unmarshal(data, &parsed); err != nil {
		return nil, err
	}
	if len(parsed.Content) != 1 {
		return nil, errors.New("the document is empty")
	}
	root, err := (&reader{remaining: maxValues}).expand(parsed.Content[0], 0)
	if err != nil {
		return nil, err
	}
	document, err := documentOf(root)
	if err == nil {
		document.HeadComment, document.FootComment = parsed.HeadComment, parsed.FootComment
	}
	return document, err
}

func documentOf(root *yaml.Node) (*yaml.Node, error) {
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("the document must be an object")
	}
	return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{root}}, nil
}

// decode reads a value of JSON, or the name of a member.
func (r *reader) decode(d *json.Decoder, depth int) (*yaml.Node, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	line := r.lineAt(d.InputOffset())
	if err := r.enter(line, depth); err != nil {
		return nil, err
	}
	switch token := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.MappingNode, Line: line}
		if token == '[' {
			node.Kind = yaml.SequenceNode
		}
		for d.More() {
			value, err := r.decode(d, depth+1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, value)
		}
		if _, err := d.Token(); err != nil { // the closing brace or bracket
			return nil, err
		}
		return node, checkNames(node)
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: token, Line: line}, nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!float", Value: token.String(), Line: line}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(token), Line: line}, nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null", Line: line}, nil
}

// expand copies a value and replaces aliases, because operations that share a
// value may have different gates.
func (r *reader) expand(node *yaml.Node, depth int) (*yaml.Node, error) {
	if err := r.enter(node.Line, depth); err != nil {
		return nil, err
	}
	if node.Kind == yaml.AliasNode {
		return r.expand(node.Alias, depth+1)
	}
	expanded := *node
	expanded.Anchor, expanded.Content = "", nil
	for _, child := range node.Content {
		value, err := r.expand(child, depth+1)
		if err != nil {
			return nil, err
		}
		expanded.Content = append(expanded.Content, value)
	}
	return &expanded, checkNames(&expanded)
}

// checkNames refuses an object that two readers could understand differently.
func checkNames(node *yaml.Node) error {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	seen := make(map[string]bool, len(node.Content)/2)
	for name := range members(node) {
		if name.Kind != yaml.ScalarNode || name.ShortTag() == "!!merge" {
			return fmt.Errorf("line %d: invalid member name", name.Line)
		}
		if seen[name.Value] {
			return fmt.Errorf("line %d: member %q is repeated", name.Line, name.Value)
		}
		seen[name.Value] = true
	}
	return nil
}

// members yields the names and values of an object; nothing for another value.
func members(node *yaml.Node) func(yield func(name, value *yaml.Node) bool) {
	return func(yield func(name, value *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i], node.Content[i+1]) {
				return
			}
		}
	}
}

// get returns a member, nil if it is missing.
func get(node *yaml.Node, name string) *yaml.Node {
	for key, value := range members(node) {
		if key.Value == name {
			return value
		}
	}
	return nil
}

// getText returns a member that is a string, empty for another one.
func getText(node *yaml.Node, name string) string {
	if value := get(node, name); value != nil && value.ShortTag() == "!!str" {
		return value.Value
	}
	return ""
}

// getObject returns a member that is an object, nil for another one.
func getObject(node *yaml.Node, name string) *yaml.Node {
	if value := get(node, name); value != nil && value.Kind == yaml.MappingNode {
		return value
	}
	return nil
}

// set replaces a member, or adds it at the end, and returns the value.
func set(node *yaml.Node, name string, value *yaml.Node) *yaml.Node {
	if existing := get(node, name); existing != nil {
		*existing = *value
		return existing
	}
	if len(node.Content) == 0 {
		node.Style = 0 // {} becomes a block
	}
	node.Content = append(node.Content, text(name), value)
	return value
}

func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
}

// object makes an object of names and values in turn.
func object(members ...any) *yaml.Node {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, member := range members {
		switch member := member.(type) {
		case string:
			node.Content = append(node.Content, text(member))
		case *yaml.Node:
			node.Content = append(node.Content, member)
		}
	}
	return node
}

// Write returns a document as JSON, with an indent or without any.
func Write(document *yaml.Node, indent string) ([]byte, error) {
	var b bytes.Buffer
	if err := encode(&b, document.Content[0]); err != nil || indent == "" {
		return b.Bytes(), err
	}
	var indented bytes.Buffer
	err := json.Indent(&indented, b.Bytes(), "", indent)
	indented.WriteByte('\n')
	return indented.Bytes(), err
}

func encode(b *bytes.Buffer, node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		return encodeScalar(b, node)
	}
	separators, brackets := ",", "[]"
	if node.Kind == yaml.MappingNode {
		separators, brackets = ":,", "{}"
	}
	b.WriteByte(brackets[0])
	for i, value := range node.Content {
		if i > 0 {
			b.WriteByte(separators[(i-1)%len(separators)])
		}
		if err := encode(b, value); err != nil {
			return err
		}
	}
	b.WriteByte(brackets[1])
	return nil
}

func encodeScalar(b *bytes.Buffer, node *yaml.Node) error {
	if node.ShortTag() != "!!str" {
		if !json.Valid([]byte(node.Value)) {
			return fmt.Errorf("line %d: JSON cannot express the value", node.Line)
		}
		b.WriteString(node.Value)
		return nil
	}
	encoder := json.NewEncoder(b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(node.Value); err != nil {
		return err
	}
	b.Truncate(b.Len() - 1) // the line end
	return nil
}

// WriteYAML returns a document as YAML.
func WriteYAML(document *yaml.Node) ([]byte, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return nil, err
	}
	return b.Bytes(), encoder.Close()
}
