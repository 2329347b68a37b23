package openapi

import (
	"cmp"
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

// Security is what an operation requires: one of the alternatives. Without any, the
// operation is public.
type Security struct{ Alternatives []Combination }

// Combination is what a security requirement requires, all of it. An empty one is met
// by every caller.
type Combination []Credential

// Credential is a security scheme by which the caller authenticates, and what it must
// grant.
type Credential struct {
	Scheme string
	// Scopes are of OAuth 2.0 and OpenID Connect, Roles of all other schemes.
	Scopes, Roles []string
}

// DeclaredScheme is a security scheme of a document.
type DeclaredScheme struct {
	// Carrier says how the credential is sent, see [Carrier].
	Carrier string
	// Place is where it is declared, for errors.
	Place string
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
		Source: s, root: root, old: minor == "0", securities: make(map[string]*Security), keys: make(map[string]string),
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
func at(node *yaml.Node, place string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d, %s: %w", max(node.Line, 1), place, err)
}

type operationReader struct {
	Source
	root *yaml.Node
	old  bool // OpenAPI 3.0
	api  *API

	securities map[string]*Security // by what they require
	keys       map[string]string    // the paths so far, by their form without names
	indexes    map[*yaml.Node]map[string]*yaml.Node
	bases      map[*yaml.Node][]string // by the list of servers
}

// readPath reads the operations of a path.
func (r *operationReader) readPath(path, item *yaml.Node) error {
	place := fmt.Sprintf("paths[%q]", path.Value)
	key, err := pathtemplate.Key(path.Value)
	if err != nil {
		return at(path, place, err)
	}
	if other, taken := r.keys[key]; taken {
		return at(path, place, fmt.Errorf("the path differs from %q at most in the names of parameters", other))
	}
	r.keys[key] = path.Value
	items, err := r.follow(item, place)
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
			place := place + "." + method.Value
			name := method.Value
			if slices.Contains(methods, name) {
				name = strings.ToUpper(name)
			}
			if seen[name] {
				return at(operation, place, errors.New("the path has the operation twice, here and in what $ref refers to"))
			}
			seen[name] = true
			if err := r.readOperation(name, path.Value, operation, place, servers); err != nil {
				return err
			}
		}
	}
	return nil
}

// operationsOf yields the operations of a path item by method. Those in
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

// follow returns a path item and those that it refers to.
func (r *operationReader) follow(item *yaml.Node, place string) (items []*yaml.Node, err error) {
	for {
		if item.Kind != yaml.MappingNode {
			return nil, at(item, place, errors.New("write an object"))
		}
		if slices.Contains(items, item) {
			return nil, at(item, place, errors.New("the references form a circle"))
		}
		items = append(items, item)
		reference := get(item, "$ref")
		if reference == nil {
			return items, nil
		}
		if item, err = r.resolve(reference); err != nil {
			return nil, at(reference, place+".$ref", err)
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
	index, known := r.indexes[object]
	if !known {
		index = make(map[string]*yaml.Node)
		for key, value := range members(object) {
			index[key.Value] = value
		}
		r.indexes[object] = index
	}
	return index[name]
}

// serversOf returns the servers of an object, or else those around it.
func (r *operationReader) serversOf(holder, around *yaml.Node) *yaml.Node {
	if servers := get(holder, "servers"); servers != nil && len(servers.Content) > 0 {
		return servers
	}
	return around
}

// readOperation reads an operation, once for each path of its servers.
func (r *operationReader) readOperation(method, path string, operation *yaml.Node, place string, servers *yaml.Node) error {
	if operation.Kind != yaml.MappingNode {
		return at(operation, place, errors.New("write an object"))
	}
	security, err := r.readSecurity(operation, place)
	if err != nil {
		return err
	}
	bases, err := r.basesOf(r.serversOf(operation, servers), place)
	if err != nil {
		return err
	}
	for _, base := range bases {
		if len(r.api.Operations) >= maxPaths {
			return at(operation, place, fmt.Errorf("more than %d paths, counted for each server", maxPaths))
		}
		r.api.Operations = append(r.api.Operations, DeclaredOperation{Method: method, Path: base + path, Security: security})
	}
	return nil
}

// basesOf returns the different paths of servers, without a slash at the end.
func (r *operationReader) basesOf(servers *yaml.Node, place string) (bases []string, err error) {
	if len(r.BasePaths) > 0 {
		for _, base := range r.BasePaths {
			bases = append(bases, strings.TrimSuffix(base, "/"))
		}
		return bases, nil
	}
	if servers == nil {
		return []string{""}, nil
	}
	if known, ok := r.bases[servers]; ok {
		return known, nil
	}
	if servers.Kind != yaml.SequenceNode {
		return nil, at(servers, place, errors.New("servers: write a list"))
	}
	for _, server := range servers.Content {
		address, err := expandVariables(server)
		if err != nil {
			return nil, at(server, place+" servers", err)
		}
		parsed, err := url.Parse(address)
		if err != nil || parsed.Opaque != "" {
			return nil, at(server, place+" servers", errors.New("invalid URL of a server"))
		}
		if base := r.baseOf(parsed); !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	r.bases[servers] = bases
	return bases, nil
}

// baseOf returns the path of a server, which may be relative to the document.
func (r *operationReader) baseOf(server *url.URL) string {
	document := &url.URL{Path: "/"}
	if r.URL != nil {
		document = r.URL
	}
	return strings.TrimSuffix(document.ResolveReference(server).EscapedPath(), "/")
}

// expandVariables returns the URL of a server with the defaults of its variables.
func expandVariables(server *yaml.Node) (string, error) {
	address := getText(server, "url")
	if address == "" {
		return "", errors.New("a server needs a url")
	}
	var expanded strings.Builder
	for {
		before, rest, found := strings.Cut(address, "{")
		expanded.WriteString(before)
		if !found {
			return expanded.String(), nil
		}
		name, after, closed := strings.Cut(rest, "}")
		value := get(get(get(server, "variables"), name), "default")
		if !closed || value == nil || value.Kind != yaml.ScalarNode {
			return "", fmt.Errorf("the variable %q has no default", name)
		}
		expanded.WriteString(value.Value)
		address = after
	}
}

// readSecurity reads the security of an operation, or that of the whole document.
func (r *operationReader) readSecurity(operation *yaml.Node, place string) (*Security, error) {
	list := get(operation, "security")
	if list == nil {
		list, place = get(r.root, "security"), "security"
	} else {
		place += ".security"
	}
	security := new(Security)
	if list != nil {
		if list.Kind != yaml.SequenceNode {
			return nil, at(list, place, errors.New("write a list"))
		}
		for i, requirement := range list.Content {
			combination, err := r.readRequirement(requirement, fmt.Sprintf("%s[%d]", place, i))
			if err != nil {
				return nil, err
			}
			security.Alternatives = append(security.Alternatives, combination)
		}
	}
	if r.All && len(security.Alternatives) > 1 {
		security.Alternatives = []Combination{joined(security.Alternatives)}
	}
	key := fmt.Sprintf("%q", security.Alternatives)
	if known, ok := r.securities[key]; ok {
		return known, nil
	}
	r.securities[key] = security
	return security, nil
}

// joined is a combination of several.
func joined(all []Combination) (one Combination) {
	for _, combination := range all {
		for _, more := range combination {
			i := slices.IndexFunc(one, func(c Credential) bool { return c.Scheme == more.Scheme })
			if i < 0 {
				one = append(one, more)
				continue
			}
			one[i].Scopes = union(one[i].Scopes, more.Scopes)
			one[i].Roles = union(one[i].Roles, more.Roles)
		}
	}
	return one
}

func union(x, y []string) []string {
	all := slices.Clone(x)
	for _, one := range y {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// readRequirement reads a security requirement.
func (r *operationReader) readRequirement(requirement *yaml.Node, place string) (Combination, error) {
	if requirement.Kind != yaml.MappingNode {
		return nil, at(requirement, place, errors.New("write an object"))
	}
	var combination Combination
	for name, list := range members(requirement) {
		place := fmt.Sprintf("%s[%q]", place, name.Value)
		scheme, err := r.readScheme(name, place)
		if err != nil {
			return nil, err
		}
		if list.Kind != yaml.SequenceNode {
			return nil, at(list, place, errors.New("write a list of scopes"))
		}
		one := Credential{Scheme: name.Value}
		for _, value := range list.Content {
			if value.ShortTag() != "!!str" || value.Value == "" {
				return nil, at(value, place, errors.New("write the names of scopes"))
			}
			switch kind := getText(scheme, "type"); {
			case kind == "oauth2" || kind == "openIdConnect":
				one.Scopes = union(one.Scopes, []string{value.Value})
			case r.old:
				return nil, at(value, place, errors.New("in OpenAPI 3.0 only oauth2 and openIdConnect have scopes: leave the list empty"))
			default:
				one.Roles = union(one.Roles, []string{value.Value})
			}
		}
		combination = append(combination, one)
	}
	return combination, nil
}

// readScheme returns the security scheme of a name.
func (r *operationReader) readScheme(name *yaml.Node, place string) (*yaml.Node, error) {
	scheme := r.member(get(get(r.root, "components"), "securitySchemes"), name.Value)
	where := fmt.Sprintf("components.securitySchemes[%q]", name.Value)
	if scheme == nil {
		return nil, at(name, place, errors.New("the security scheme is not in components.securitySchemes"))
	}
	for range MaxDepth {
		reference := get(scheme, "$ref")
		if reference == nil {
			break
		}
		var err error
		if scheme, err = r.resolve(reference); err != nil {
			return nil, at(reference, where+".$ref", err)
		}
	}
	if get(scheme, "$ref") != nil {
		return nil, at(scheme, where, errors.New("the references form a circle"))
	}
	kind := getText(scheme, "type")
	known := slices.Contains([]string{"apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"}, kind)
	if !known || kind == "apiKey" && (getText(scheme, "in") == "" || getText(scheme, "name") == "") || kind == "http" && getText(scheme, "scheme") == "" {
		return nil, at(cmp.Or(scheme, name), where, errors.New("write type apiKey with in and name, http with scheme, mutualTLS, oauth2 or openIdConnect"))
	}
	r.api.Schemes[name.Value] = DeclaredScheme{Carrier: Carrier(scheme), Place: fmt.Sprintf("line %d, %s", max(scheme.Line, 1), where)}
	return scheme, nil
}
