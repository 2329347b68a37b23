package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// follow returns a path item and those that it refers to.
func (r *operationReader) follow(item *yaml.Node, position string) (items []*yaml.Node, err error) {
	for {
		if item.Kind != yaml.MappingNode {
			return nil, at(item, position, errors.New("write an object"))
		}
		if slices.Contains(items, item) {
			return nil, at(item, position, errors.New("the references form a circle"))
		}
		items = append(items, item)
		reference := get(item, "$ref")
		if reference == nil {
			return items, nil
		}
		if item, err = r.resolve(reference); err != nil {
			return nil, at(reference, position+".$ref", err)
		}
	}
}

// resolve returns what a reference refers to within the document (RFC 6901 §6).
func (r *operationReader) resolve(reference *yaml.Node) (*yaml.Node, error) {
	pointer, local := strings.CutPrefix(reference.Value, "#/")
	if !local || reference.ShortTag() != "!!str" {
		return nil, errors.New("references to other documents are not followed: bundle the document into one")
	}
	pointer, err := url.PathUnescape(pointer)
	if err != nil {
		return nil, errors.New("invalid escape in the reference")
	}
	found := r.root
	for token := range strings.SplitSeq(pointer, "/") {
		if found = r.member(found, strings.NewReplacer("~1", "/", "~0", "~").Replace(token)); found == nil {
			return nil, fmt.Errorf("%q not found in the document", reference.Value)
		}
	}
	return found, nil
}

// member is [get] for objects of which many members are wanted.
func (r *operationReader) member(object *yaml.Node, name string) *yaml.Node {
	index, found := r.indexes[object]
	if !found {
		index = make(map[string]*yaml.Node)
		for key, value := range members(object) {
			index[key.Value] = value
		}
		r.indexes[object] = index
	}
	return index[name]
}
