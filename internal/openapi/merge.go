package openapi

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Operation is an operation of a document: a method on a path as clients call
// it. Parts of the path that vary are filled in with [Variable].
type Operation struct{ Method, Path string }

// Variable stands in the path of an [Operation] for a part that varies.
const Variable = "~"

// Ways are the ways to an operation, each with the gates on it. None means
// that nothing is known about it.
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

// Merge adds to a document what the gates ask for. Operations without a gate
// stay as they are, and merging again changes nothing.
func Merge(document *Object, waysTo func(Operation) Ways) error {
	version, _ := document.Get("openapi").(string)
	if !strings.HasPrefix(version, "3.") {
		return ErrVersion
	}
	if err := checkComponents(document); err != nil {
		return err
	}
	m := &merger{document: document, old: strings.HasPrefix(version, "3.0"), waysTo: waysTo, named: make(map[string]string)}
	paths := document.object("paths")
	if paths == nil {
		return nil
	}
	for _, path := range paths.names {
		item := paths.object(path)
		if item == nil {
			continue
		}
		for _, name := range item.names {
			operation := item.object(name)
			if operation == nil || !slices.Contains(methods, name) {
				continue
			}
			if m.operations++; m.operations > maxOperations {
				return errTooLarge
			}
			m.merge(operation, Operation{Method: strings.ToUpper(name), Path: sample(m.base(item, operation) + path)})
		}
	}
	return nil
}

// checkComponents refuses a document in which there is no place for what is
// added.
func checkComponents(document *Object) error {
	components := document.object("components")
	if components == nil {
		if document.Has("components") {
			return errComponents
		}
		return nil
	}
	for _, section := range []string{"securitySchemes", "responses", "schemas"} {
		if components.Has(section) && components.object(section) == nil {
			return errComponents
		}
	}
	return nil
}

// Components adds the security schemes of gates to a document, with what the
// operations refer to.
func Components(document *Object, guards []Guard) {
	m := &merger{document: document, named: make(map[string]string)}
	for _, guard := range guards {
		m.alternatives(guard)
	}
	m.unauthorized()
}

type merger struct {
	document   *Object
	old        bool // OpenAPI 3.0
	waysTo     func(Operation) Ways
	operations int

	// named are the names of components that were put already, by what they
	// are.
	named map[string]string
}

// base is the path below which an operation is found: that of the innermost
// first server.
func (m *merger) base(item, operation *Object) string {
	for _, holder := range []*Object{operation, item, m.document} {
		servers, _ := holder.Get("servers").([]any)
		if len(servers) == 0 {
			continue
		}
		server, _ := servers[0].(*Object)
		if server == nil {
			return ""
		}
		address, _ := server.Get("url").(string)
		parsed, err := url.Parse(address)
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

func (m *merger) merge(operation *Object, asked Operation) {
	var ours []alternative
	var words []string
	guarded := false
	for _, way := range m.waysTo(asked) {
		onWay := []alternative{{}}
		for _, guard := range way {
			guarded = true
			if all := m.alternatives(guard); len(all) > 0 {
				onWay = product(onWay, all)
			}
			if guard.Requires != "" && !guard.Silent && !slices.Contains(words, guard.Requires) {
				words = append(words, guard.Requires)
			}
		}
		ours = append(ours, onWay...)
	}
	if !guarded {
		return
	}
	ours = minimal(ours)
	slices.SortStableFunc(ours, func(x, y alternative) int { return min(len(y), 1) - min(len(x), 1) }) // {} last
	m.secure(operation, ours)
	m.respond(operation, words)
}

// secure joins what the document asks for with what the gates do.
func (m *merger) secure(operation *Object, ours []alternative) {
	if !slices.ContainsFunc(ours, func(a alternative) bool { return len(a) > 0 }) {
		return // nothing that this version of OpenAPI has a word for
	}
	existing, ok := readSecurity(operation.Get("security"))
	if !ok {
		if operation.Has("security") {
			return // not understood: leave it alone
		}
		existing, _ = readSecurity(m.document.Get("security"))
	}
	if len(existing) == 0 {
		operation.Set("security", writeSecurity(ours))
		return
	}
	var joined []alternative
	changed := false
	for _, theirs := range existing {
		if slices.ContainsFunc(ours, func(a alternative) bool { return m.meets(theirs, a) }) {
			joined = append(joined, theirs)
			continue
		}
		changed = true
		joined = append(joined, product([]alternative{theirs}, ours)...)
	}
	if changed {
		operation.Set("security", writeSecurity(joined))
	}
}

// meets reports whether who has the credentials of one alternative has those
// of another too.
func (m *merger) meets(theirs, ours alternative) bool {
	schemes := m.section("securitySchemes")
	var carried []string
	for _, entry := range theirs {
		carried = append(carried, carrier(schemes.object(entry.name)))
	}
	return !slices.ContainsFunc(ours, func(e entry) bool {
		return !slices.Contains(carried, carrier(schemes.object(e.name)))
	})
}

// alternatives adds the schemes of a gate to the components and returns what a
// `security` member says about them.
func (m *merger) alternatives(guard Guard) []alternative {
	var all []alternative
	for _, scheme := range guard.Schemes {
		kind, _ := scheme.Object.Get("type").(string)
		if m.old && kind == "mutualTLS" {
			continue // new in OpenAPI 3.1
		}
		one := entry{name: m.put("securitySchemes", scheme.Name, scheme.Object)}
		if !m.old || kind == "openIdConnect" || kind == "oauth2" {
			one.scopes = guard.Scopes
		}
		all = append(all, alternative{one})
	}
	if guard.Optional && len(all) > 0 {
		all = append(all, alternative{})
	}
	return all
}

// respond adds the answers of a gate where the document has none of its own.
func (m *merger) respond(operation *Object, required []string) {
	responses := operation.object("responses")
	if responses == nil {
		if operation.Has("responses") {
			return
		}
		responses = new(Object)
		operation.Set("responses", responses)
	}
	if !responses.Has("401") {
		responses.Set("401", NewObject("$ref", "#/components/responses/"+m.unauthorized()))
	}
	if len(required) > 0 && !responses.Has("403") {
		description := "The caller is known and may not. Required is: " + strings.Join(required, "; ")
		responses.Set("403", NewObject("description", description, "content", m.problem()))
	}
}

// unauthorized returns the name of the response 401.
func (m *merger) unauthorized() string {
	return m.put("responses", "AuthUnauthorized", NewObject(
		"description", "The caller is not known: there is no credential, or it is not good.",
		"headers", NewObject("WWW-Authenticate", NewObject(
			"description", "How to authenticate.", "schema", NewObject("type", "string"))),
		"content", m.problem(),
	))
}

// problem is the body of a denial (RFC 9457).
func (m *merger) problem() *Object {
	text := func(description string) *Object { return NewObject("type", "string", "description", description) }
	list := func(description string) *Object {
		return NewObject("type", "array", "items", NewObject("type", "string"), "description", description)
	}
	name := m.put("schemas", "AuthProblem", NewObject(
		"type", "object",
		"required", []any{"type", "title", "status", "code"},
		"properties", NewObject(
			"type", text("A URI of the kind of problem."),
			"title", text("The reason phrase of the status."),
			"status", NewObject("type", "integer"),
			"detail", text("A sentence for the client."),
			"code", text("What was wrong, for example expired_token."),
			"required_scopes", list("The scopes that are required."),
			"required_roles", list("The roles that are required."),
			"trace_id", text("What the operator finds the request by."),
		),
	))
	reference := NewObject("schema", NewObject("$ref", "#/components/schemas/"+name))
	return NewObject("application/problem+json", reference)
}

// section returns a part of the components.
func (m *merger) section(name string) *Object {
	components := m.document.object("components")
	if components == nil {
		components = new(Object)
		m.document.Set("components", components)
	}
	section := components.object(name)
	if section == nil {
		section = new(Object)
		components.Set(name, section)
	}
	return section
}

// put adds a component under a name, or under another one if that is taken by
// something else, and returns the name.
func (m *merger) put(section, name string, value *Object) string {
	identity := section + "/" + name + "/" + value.String()
	if known, ok := m.named[identity]; ok {
		return known
	}
	components := m.section(section)
	free := name
	for n := 2; components.Has(free) && !equal(components.Get(free), value); n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	if !components.Has(free) {
		components.Set(free, value)
	}
	m.named[identity] = free
	return free
}
