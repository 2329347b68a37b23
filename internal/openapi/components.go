package openapi

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

// Components makes a document with the components that operations refer to.
func Components(guards []Guard) *yaml.Node {
	m := &merger{document: object(), named: make(map[string]string)}
	for _, guard := range guards {
		m.alternatives(guard)
	}
	m.unauthorizedResponse()
	return &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{m.document}}
}

// alternatives adds the schemes of a gate to the components and returns the
// security requirement of each.
func (m *merger) alternatives(guard Guard) []Combination {
	var all []Combination
	for _, scheme := range guard.Schemes {
		kind := getText(scheme.Object, "type")
		if m.old && kind == "mutualTLS" {
			continue // new in OpenAPI 3.1
		}
		one := Credential{Scheme: m.put("securitySchemes", scheme.Name, scheme.Object)}
		if !m.old || kind == "openIdConnect" || kind == "oauth2" {
			one.Scopes = guard.Scopes
		}
		all = append(all, Combination{one})
	}
	if guard.Optional && len(all) > 0 {
		all = append(all, Combination{})
	}
	return all
}

// respond adds the denials of a gate where the document has none of its own.
func (m *merger) respond(operation *yaml.Node, forbids bool, required []string) {
	responses := get(operation, "responses")
	if responses == nil {
		responses = set(operation, "responses", object())
	}
	if responses.Kind != yaml.MappingNode {
		return
	}
	if get(responses, "401") == nil {
		set(responses, "401", object("$ref", "#/components/responses/"+m.unauthorizedResponse()))
	}
	if forbids && get(responses, "403") == nil {
		description := "The caller is authenticated and not authorized."
		if len(required) > 0 {
			description += " Required: " + strings.Join(required, "; ")
		}
		set(responses, "403", object("description", description, "content", m.problem()))
	}
}

// unauthorizedResponse returns the name of the response 401.
func (m *merger) unauthorizedResponse() string {
	return m.put("responses", "AuthUnauthorized", object(
		"description", "The caller is not authenticated: the credential is missing or invalid.",
		"headers", object("WWW-Authenticate", object("description", "How to authenticate.", "schema", object("type", "string"))),
		"content", m.problem(),
	))
}

// problemSchema is the body of a denial (RFC 9457).
var problemSchema = sync.OnceValues(func() (*yaml.Node, error) { return ParseYAML([]byte(problemText)) })

const problemText = `
type: object
required:
  - type
  - title
  - status
  - code
properties:
  type:
    type: string
    description: A URI of the kind of problem.
  title:
    type: string
    description: The reason phrase of the status.
  status:
    type: integer
  detail:
    type: string
    description: A sentence for the client.
  code:
    type: string
    description: The cause, for example expired_token.
  required_scopes:
    type: array
    items:
      type: string
    description: The required scopes.
  required_roles:
    type: array
    items:
      type: string
    description: The required roles.
  trace_id:
    type: string
    description: The ID of the request in the log of the operator.
`

// problem is the content of a denial.
func (m *merger) problem() *yaml.Node {
	schema, err := problemSchema()
	if err != nil {
		panic(err) // a constant
	}
	name := m.put("schemas", "AuthProblem", schema.Content[0])
	return object("application/problem+json", object("schema", object("$ref", "#/components/schemas/"+name)))
}

// section returns a part of the components.
func (m *merger) section(name string) *yaml.Node {
	components := get(m.document, "components")
	if components == nil {
		components = set(m.document, "components", object())
	}
	section := get(components, name)
	if section == nil {
		section = set(components, name, object())
	}
	return section
}

// put adds a component and returns its name: another one where a different
// component has the name already.
func (m *merger) put(section, name string, value *yaml.Node) string {
	var content bytes.Buffer
	_ = encode(&content, value)
	identity := section + "/" + name + "/" + content.String()
	if present, ok := m.named[identity]; ok {
		return present
	}
	components := m.section(section)
	free := name
	for n := 2; ; n++ {
		existing := get(components, free)
		if existing == nil {
			set(components, free, value)
			break
		}
		if equal(existing, value) {
			break
		}
		free = fmt.Sprintf("%s_%d", name, n)
	}
	m.named[identity] = free
	return free
}

// equal compares values; the order of members does not matter.
func equal(x, y *yaml.Node) bool {
	var a, b any
	return x.Decode(&a) == nil && y.Decode(&b) == nil && reflect.DeepEqual(a, b)
}
