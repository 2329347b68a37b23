package openapi

import (
	"fmt"
	"strings"
)

// Components adds the security schemes of gates to a document, with what the
// operations refer to.
func Components(document *Object, guards []Guard) {
	m := &merger{document: document, named: make(map[string]string)}
	for _, guard := range guards {
		m.alternatives(guard)
	}
	m.unauthorized()
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
func (m *merger) respond(operation *Object, forbids bool, required []string) {
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
	if forbids && !responses.Has("403") {
		description := "The caller is known and may not."
		if len(required) > 0 {
			description += " Required is: " + strings.Join(required, "; ")
		}
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
