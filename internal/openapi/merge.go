package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Operation is an operation of a document: a method and a path. [Variable]
// replaces the variable parts of the path.
type Operation struct{ Method, Path string }

// Variable is a variable part in the path of an [Operation].
const Variable = "~"

// Ways are the ways to an operation, each with its gates. Without any way
// nothing is known about the operation.
type Ways [][]Guard

// maxOperations is how many operations a document may have.
const maxOperations = 5000

// Errors of Merge.
var (
	ErrVersion = errors.New("not an OpenAPI 3 document")

	errComponents = errors.New("the components are malformed")
	errTooLarge   = fmt.Errorf("more than %d operations", maxOperations)
)

// methods are the members of a path item that are operations.
var methods = []string{"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"}

// Merge adds to a document what the gates require. Operations without a gate do
// not change, and a second merge changes nothing.
func Merge(document *yaml.Node, waysTo func(Operation) Ways) error {
	root := document.Content[0]
	version := getText(root, "openapi")
	if !strings.HasPrefix(version, "3.") {
		return ErrVersion
	}
	if err := checkComponents(root); err != nil {
		return err
	}
	m := &merger{document: root, old: strings.HasPrefix(version, "3.0"), waysTo: waysTo, named: make(map[string]string)}
	for path, item := range members(get(root, "paths")) {
		for method, operation := range members(item) {
			if operation.Kind != yaml.MappingNode || !slices.Contains(methods, method.Value) {
				continue
			}
			if m.operations++; m.operations > maxOperations {
				return errTooLarge
			}
			m.merge(operation, Operation{Method: strings.ToUpper(method.Value), Path: sample(m.base(item, operation) + path.Value)})
		}
	}
	return nil
}

// checkComponents refuses a document that has no place for the components.
func checkComponents(root *yaml.Node) error {
	components := get(root, "components")
	if components == nil {
		return nil
	}
	for _, section := range []*yaml.Node{components, get(components, "securitySchemes"), get(components, "responses"), get(components, "schemas")} {
		if section != nil && section.Kind != yaml.MappingNode {
			return errComponents
		}
	}
	return nil
}

type merger struct {
	document   *yaml.Node // its root
	old        bool       // OpenAPI 3.0
	waysTo     func(Operation) Ways
	operations int

	// named are the names of the components so far, by section and content.
	named map[string]string
}

// base is the path of the innermost first server.
func (m *merger) base(item, operation *yaml.Node) string {
	for _, holder := range []*yaml.Node{operation, item, m.document} {
		servers := get(holder, "servers")
		if servers == nil || servers.Kind != yaml.SequenceNode || len(servers.Content) == 0 {
			continue
		}
		parsed, err := url.Parse(getText(servers.Content[0], "url"))
		if err != nil || strings.Contains(parsed.Path, "{") {
			return ""
		}
		base := strings.TrimSuffix(parsed.Path, "/")
		if base != "" && !strings.HasPrefix(base, "/") {
			base = "/" + base
		}
		return base
	}
	return ""
}

// sample fills in the variable parts of a path template.
func sample(template string) string {
	var b strings.Builder
	for template != "" {
		before, rest, open := strings.Cut(template, "{")
		b.WriteString(before)
		if !open {
			break
		}
		b.WriteString(Variable)
		_, template, _ = strings.Cut(rest, "}")
	}
	return b.String()
}

func (m *merger) merge(operation *yaml.Node, described Operation) {
	var required []Combination
	var words []string
	guarded, forbids := false, false
	for _, way := range m.waysTo(described) {
		onWay := []Combination{{}}
		for _, guard := range way {
			guarded = true
			if all := m.alternatives(guard); len(all) > 0 {
				onWay = product(onWay, all)
			}
			if !guard.Forbids || guard.Silent {
				continue
			}
			forbids = true
			if guard.Requires != "" && !slices.Contains(words, guard.Requires) {
				words = append(words, guard.Requires)
			}
		}
		required = append(required, onWay...)
	}
	if !guarded {
		return
	}
	required = minimal(required)
	slices.SortStableFunc(required, func(x, y Combination) int { return min(len(y), 1) - min(len(x), 1) }) // {} last
	m.secure(operation, required)
	m.respond(operation, forbids, words)
}

// secure joins the security of the document with that of the gates.
func (m *merger) secure(operation *yaml.Node, required []Combination) {
	if !slices.ContainsFunc(required, func(a Combination) bool { return len(a) > 0 }) {
		return // this version of OpenAPI cannot describe the schemes
	}
	security := get(operation, "security")
	existing, ok := readSecurity(security)
	if !ok {
		if security != nil {
			return // malformed: leave it alone
		}
		existing, _ = readSecurity(get(m.document, "security"))
	}
	if len(existing) == 0 {
		set(operation, "security", writeSecurity(required))
		return
	}
	var joined []Combination
	changed := false
	for _, documented := range existing {
		if slices.ContainsFunc(required, func(a Combination) bool { return m.meets(documented, a) }) {
			joined = append(joined, documented)
			continue
		}
		changed = true
		joined = append(joined, product([]Combination{documented}, required)...)
	}
	if changed {
		set(operation, "security", writeSecurity(joined))
	}
}

// meets reports whether the credentials of one alternative include those of
// another.
func (m *merger) meets(documented, required Combination) bool {
	schemes := m.section("securitySchemes")
	var carried []string
	for _, credential := range documented {
		carried = append(carried, Carrier(getObject(schemes, credential.Scheme)))
	}
	return !slices.ContainsFunc(required, func(c Credential) bool {
		return !slices.Contains(carried, Carrier(getObject(schemes, c.Scheme)))
	})
}
