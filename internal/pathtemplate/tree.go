// Package pathtemplate finds the path template of a request, as OpenAPI matches
// templates. A request that servers could read in different ways has a match only
// where all readings lead to the same result.
package pathtemplate

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// Tree has a value for each method of each path template. The cost of a search depends on
// the length of a path, and on the templates that match it, not on the number of others.
type Tree[V any] struct {
	root  node[V]
	depth int // of the longest template, in segments
}

// node is a segment of templates.
type node[V any] struct {
	parent *node[V]
	kind   kind
	text   string                // of a fixed segment
	fixed  map[string][]*node[V] // by their text in lower case
	others map[affixes][]*node[V]
	sizes  []sizes // the different sizes of the keys of others

	// Of a segment with parameters: the fixed parts around them, as written and in
	// lower case.
	parts, folded []string

	// The values by method, of templates that end here without and with a slash.
	plain, slashed map[string]V
}

// affixes are the text before the first parameter of a segment and after the last one, in
// lower case.
type affixes struct{ prefix, suffix string }

// sizes are the lengths of affixes.
type sizes struct{ prefix, suffix int }

// kind orders segments: a fixed one is more concrete than one with a parameter.
type kind uint8

const (
	fixed kind = iota
	variable
)

// Add adds a value. It is an error where a template that differs at most in the names
// of parameters has a value for the method.
func (t *Tree[V]) Add(method, template string, value V) error {
	segments, slash, err := parse(template)
	if err != nil {
		return err
	}
	at := &t.root
	for _, parts := range segments {
		at = at.child(parts)
	}
	t.depth = max(t.depth, len(segments))
	values := &at.plain
	if slash {
		values = &at.slashed
	}
	if *values == nil {
		*values = make(map[string]V)
	}
	if _, taken := (*values)[method]; taken {
		return errors.New("the method has an operation already, at a path that differs at most in the names of parameters")
	}
	(*values)[method] = value
	return nil
}

// Key returns a text that two templates share if they differ at most in the names of
// parameters.
func Key(template string) (string, error) {
	segments, slash, err := parse(template)
	if err != nil {
		return "", err
	}
	var key strings.Builder
	for _, parts := range segments {
		fmt.Fprintf(&key, "/%q", parts)
	}
	if slash {
		key.WriteByte('/')
	}
	return key.String(), nil
}

// parse splits a template into segments. Each is a list of the fixed parts around its
// parameters; a segment without a parameter has one part.
func parse(template string) (segments [][]string, slash bool, err error) {
	rest, rooted := strings.CutPrefix(template, "/")
	if !rooted {
		return nil, false, errors.New("a path begins with a slash")
	}
	if rest == "" {
		return nil, true, nil
	}
	rest, slash = strings.CutSuffix(rest, "/")
	for segment := range strings.SplitSeq(rest, "/") {
		parts, err := parseSegment(segment)
		if err != nil {
			return nil, false, err
		}
		segments = append(segments, parts)
	}
	return segments, slash, nil
}

func parseSegment(segment string) ([]string, error) {
	var parts []string
	for {
		before, rest, found := strings.Cut(segment, "{")
		if strings.ContainsAny(before, "}?#\\;") {
			return nil, fmt.Errorf("invalid segment %q: a path has no query, no fragment, no semicolon and pairs of braces", segment)
		}
		text, err := url.PathUnescape(before)
		if err != nil || strings.Contains(text, "/") || !utf8.ValidString(text) {
			return nil, fmt.Errorf("invalid escape in the segment %q", segment)
		}
		parts = append(parts, text)
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || name == "" || strings.Contains(name, "{") {
			return nil, fmt.Errorf("invalid parameter in the segment %q", segment)
		}
		segment = after
	}
	if len(parts) == 1 && (parts[0] == "." || parts[0] == "..") {
		return nil, errors.New("a path has no dot segments")
	}
	return parts, nil
}

// child returns the node of a segment, and adds it.
func (n *node[V]) child(parts []string) *node[V] {
	if len(parts) > 1 {
		return n.variableChild(parts)
	}
	key := strings.ToLower(parts[0])
	for _, other := range n.fixed[key] {
		if other.text == parts[0] {
			return other
		}
	}
	child := &node[V]{parent: n, text: parts[0]}
	if n.fixed == nil {
		n.fixed = make(map[string][]*node[V])
	}
	n.fixed[key] = append(n.fixed[key], child)
	return child
}

// variableChild returns the node of a segment with parameters, and adds it.
func (n *node[V]) variableChild(parts []string) *node[V] {
	child := &node[V]{parent: n, kind: variable, parts: parts}
	for _, part := range parts {
		child.folded = append(child.folded, strings.ToLower(part))
	}
	key := affixes{child.folded[0], child.folded[len(parts)-1]}
	for _, other := range n.others[key] {
		if slices.Equal(other.parts, parts) {
			return other
		}
	}
	if n.others == nil {
		n.others = make(map[affixes][]*node[V])
	}
	n.others[key] = append(n.others[key], child)
	if size := (sizes{len(key.prefix), len(key.suffix)}); !slices.Contains(n.sizes, size) {
		n.sizes = append(n.sizes, size)
	}
	return child
}

// match is a template that a path matches.
type match[V any] struct {
	end   *node[V]
	value V
	// exact says that the path has the letters of the template in the same case.
	exact bool
	// own says that both have a slash at the end, or neither.
	own bool
}

// walk finds the templates that a path matches, the more concrete first.
func (n *node[V]) walk(method string, segments []string, slash, exact bool, found []match[V]) []match[V] {
	if len(segments) == 0 {
		return n.ends(method, slash, exact, found)
	}
	segment, rest := segments[0], segments[1:]
	folded := strings.ToLower(segment)
	for _, child := range n.fixed[folded] {
		steps.Add(1)
		found = child.walk(method, rest, slash, exact && child.text == segment, found)
	}
	for _, size := range n.sizes {
		steps.Add(1)
		if size.prefix+size.suffix >= len(folded) {
			continue // a parameter is not empty
		}
		for _, child := range n.others[affixes{folded[:size.prefix], folded[len(folded)-size.suffix:]}] {
			steps.Add(1)
			if matchesParts(child.parts, segment) {
				found = child.walk(method, rest, slash, exact, found)
			} else if matchesParts(child.folded, folded) {
				found = child.walk(method, rest, slash, false, found)
			}
		}
	}
	return found
}

// ends adds the templates that end at a node.
func (n *node[V]) ends(method string, slash, exact bool, found []match[V]) []match[V] {
	own, other := n.plain, n.slashed
	if slash {
		own, other = other, own
	}
	if value, ok := valueFor(own, method); ok {
		return append(found, match[V]{end: n, value: value, exact: exact, own: true})
	}
	if value, ok := valueFor(other, method); ok {
		found = append(found, match[V]{end: n, value: value, exact: exact})
	}
	return found
}

// valueFor returns the value of a method. HEAD without one of its own has that of GET,
// whose answer it describes (RFC 9110 §9.3.2).
func valueFor[V any](values map[string]V, method string) (V, bool) {
	value, found := values[method]
	if !found && method == "HEAD" {
		value, found = values["GET"]
	}
	return value, found
}

// matchesParts reports whether a segment has the fixed parts in their order, with at
// least one byte for each parameter between them. The first place of a part is as
// good as any other, so nothing is tried twice.
func matchesParts(parts []string, segment string) bool {
	first, last := parts[0], parts[len(parts)-1]
	rest, ok := strings.CutPrefix(segment, first)
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if rest == "" {
			return false
		}
		i := strings.Index(rest[1:], part)
		if i < 0 {
			return false
		}
		rest = rest[1+i+len(part):]
	}
	return len(rest) > len(last) && strings.HasSuffix(rest, last)
}

// before reports whether a node is at least as concrete as another one of its depth,
// in each segment. Different segments of one kind have no order.
func (n *node[V]) before(other *node[V]) bool {
	for ; n != other; n, other = n.parent, other.parent {
		if n.kind > other.kind || n.kind == other.kind && (n.text != other.text || !slices.Equal(n.parts, other.parts)) {
			return false
		}
	}
	return true
}
