package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/excorp/caddy-require-auth/internal/pathtemplate"
)

// API is what a document requires of its operations.
type API struct {
	Operations []DeclaredOperation
	// Schemes are the security schemes that operations name, by name.
	Schemes map[string]DeclaredScheme
}

// DeclaredOperation is an operation of a document, with its whole path. Operations
// with the same security share it.
type DeclaredOperation struct {
	Method, Path string
	*Security
}

// Source says how to read a document.
type Source struct {
	// URL is the address of the document, to which servers can be relative; nil for
	// a file.
	URL *url.URL
	// BasePaths replace the paths of the servers.
	BasePaths []string
	// All makes all alternatives of an operation hold together.
	All bool
}

// maxPaths bounds the paths of a document, each counted once for each server.
const maxPaths = 200_000

// ParseAny reads a document in JSON or YAML.
func ParseAny(data []byte) (*yaml.Node, error) {
	if strings.HasPrefix(strings.TrimSpace(string(data[:min(len(data), 100)])), "{") {
		if document, err := Parse(data); err == nil {
			return document, nil
		} else if document, err1 := ParseYAML(data); err1 == nil { // a flow mapping
			return document, nil
		} else {
			return nil, err
		}
	}
	return ParseYAML(data)
}

// Read reads what a document requires of its operations. Callbacks and webhooks are
// requests that the described API sends itself, so they are left out. A reference is
// followed within the document alone. An error names the place in the document.
func (s Source) Read(document *yaml.Node) (*API, error) {
	root := document.Content[0]
	version := getText(root, "openapi")
	minor, _, _ := strings.Cut(strings.TrimPrefix(version, "3."), ".")
	if !strings.HasPrefix(version, "3.") || !slices.Contains([]string{"0", "1", "2"}, minor) {
		return nil, at(root, "openapi", errors.New("write 3.0, 3.1 or 3.2: no other version of OpenAPI is read"))
	}
	r := &operationReader{
		Source: s, root: root, old: minor == "0", securities: make(map[string]*Security), keys: make(map[string]*yaml.Node),
		indexes: make(map[*yaml.Node]map[string]*yaml.Node), bases: make(map[*yaml.Node][]string),
		api: &API{Schemes: make(map[string]DeclaredScheme)},
	}
	for path, item := range members(get(root, "paths")) {
		if strings.HasPrefix(path.Value, "x-") {
			continue
		}
		if err := r.readPath(path, item); err != nil {
			return nil, err
		}
	}
	if len(r.api.Operations) == 0 {
		return nil, at(root, "paths", errors.New("the document has no operations"))
	}
	return r.api, nil
}

// at adds the place of a node to an error.
func at(node *yaml.Node, position string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d, %s: %w", max(node.Line, 1), position, err)
}

type operationReader struct {
	Source
	root *yaml.Node
	old  bool // OpenAPI 3.0
	api  *API

	securities map[string]*Security  // by what they require
	keys       map[string]*yaml.Node // the paths so far, by their form without names
	indexes    map[*yaml.Node]map[string]*yaml.Node
	bases      map[*yaml.Node][]string // by the list of servers
}

// readPath reads the operations of a path.
func (r *operationReader) readPath(path, item *yaml.Node) error {
	position := fmt.Sprintf("paths[%q]", path.Value)
	key, err := pathtemplate.Key(path.Value)
	if err != nil {
		return at(path, position, err)
	}
	if other, exists := r.keys[key]; exists {
		return at(path, position, fmt.Errorf("the path differs from %q in line %d at most in the names of parameters, "+
			"so OpenAPI forbids both: write all operations below one of them", other.Value, other.Line))
	}
	r.keys[key] = path
	items, err := r.follow(item, position)
	if err != nil {
		return err
	}
	servers := r.serversOf(r.root, nil)
	for _, holder := range slices.Backward(items) {
		servers = r.serversOf(holder, servers)
	}
	seen := make(map[string]bool)
	for _, one := range items {
		for method, operation := range operationsOf(one) {
			position := position + "." + method.Value
			name := method.Value
			if slices.Contains(methods, name) {
				name = strings.ToUpper(name)
			}
			if seen[name] {
				return at(operation, position, errors.New("duplicate operation: it is here and in the target of $ref"))
			}
			seen[name] = true
			if err := r.readOperation(name, path.Value, operation, position, servers); err != nil {
				return err
			}
		}
	}
	return nil
}

// operationsOf yields the operations of a path item by method. The operations in
// additionalOperations are new in OpenAPI 3.2.
func operationsOf(item *yaml.Node) func(yield func(method, operation *yaml.Node) bool) {
	return func(yield func(method, operation *yaml.Node) bool) {
		for name, value := range members(item) {
			if slices.Contains(methods, name.Value) && !yield(name, value) {
				return
			}
		}
		for name, value := range members(get(item, "additionalOperations")) {
			if !yield(name, value) {
				return
			}
		}
	}
}

// readOperation reads an operation, once for each path of its servers.
func (r *operationReader) readOperation(method, path string, operation *yaml.Node, position string, servers *yaml.Node) error {
	if operation.Kind != yaml.MappingNode {
		return at(operation, position, errors.New("write an object"))
	}
	security, err := r.readSecurity(operation, position)
	if err != nil {
		return err
	}
	bases, err := r.basesOf(r.serversOf(operation, servers), position)
	if err != nil {
		return err
	}
	for _, base := range bases {
		if len(r.api.Operations) >= maxPaths {
			return at(operation, position, fmt.Errorf("more than %d paths, counted for each server", maxPaths))
		}
		r.api.Operations = append(r.api.Operations, DeclaredOperation{Method: method, Path: base + path, Security: security})
	}
	return nil
}
