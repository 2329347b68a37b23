package openapi

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

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
	// Position is where it is declared, for errors.
	Position string
}

// readSecurity reads the security of an operation, or that of the whole document.
func (r *operationReader) readSecurity(operation *yaml.Node, position string) (*Security, error) {
	list := get(operation, "security")
	if list == nil {
		list, position = get(r.root, "security"), "security"
	} else {
		position += ".security"
	}
	security := new(Security)
	if list != nil {
		if list.Kind != yaml.SequenceNode {
			return nil, at(list, position, errors.New("write a list"))
		}
		for i, requirement := range list.Content {
			combination, err := r.readRequirement(requirement, fmt.Sprintf("%s[%d]", position, i))
			if err != nil {
				return nil, err
			}
			security.Alternatives = append(security.Alternatives, combination)
		}
	}
	if r.All && len(security.Alternatives) > 1 {
		var all Combination
		for _, one := range security.Alternatives {
			all = all.and(one)
		}
		security.Alternatives = []Combination{all}
	}
	key := fmt.Sprintf("%q", security.Alternatives)
	if cached, ok := r.securities[key]; ok {
		return cached, nil
	}
	r.securities[key] = security
	return security, nil
}

// and returns the combination that requires both.
func (c Combination) and(other Combination) Combination {
	both := slices.Clone(c)
	for _, more := range other {
		i := both.find(more.Scheme)
		if i < 0 {
			both = append(both, more)
			continue
		}
		both[i].Scopes = union(both[i].Scopes, more.Scopes)
		both[i].Roles = union(both[i].Roles, more.Roles)
	}
	return both
}

// find returns the index of a scheme, -1 for none.
func (c Combination) find(scheme string) int {
	return slices.IndexFunc(c, func(one Credential) bool { return one.Scheme == scheme })
}

// union returns the items of both lists, each once.
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
func (r *operationReader) readRequirement(requirement *yaml.Node, position string) (Combination, error) {
	if requirement.Kind != yaml.MappingNode {
		return nil, at(requirement, position, errors.New("write an object"))
	}
	var combination Combination
	for name, list := range members(requirement) {
		position := fmt.Sprintf("%s[%q]", position, name.Value)
		scheme, err := r.readScheme(name, position)
		if err != nil {
			return nil, err
		}
		if list.Kind != yaml.SequenceNode {
			return nil, at(list, position, errors.New("write a list of scopes"))
		}
		one := Credential{Scheme: name.Value}
		for _, value := range list.Content {
			if value.ShortTag() != "!!str" || value.Value == "" {
				return nil, at(value, position, errors.New("write the names of scopes"))
			}
			switch kind := getText(scheme, "type"); {
			case kind == "oauth2" || kind == "openIdConnect":
				one.Scopes = union(one.Scopes, []string{value.Value})
			case r.old:
				return nil, at(value, position, errors.New("in OpenAPI 3.0 only oauth2 and openIdConnect have scopes: leave the list empty"))
			default:
				one.Roles = union(one.Roles, []string{value.Value})
			}
		}
		combination = append(combination, one)
	}
	return combination, nil
}

// readScheme returns the security scheme of a name.
func (r *operationReader) readScheme(name *yaml.Node, position string) (*yaml.Node, error) {
	scheme := r.member(get(get(r.root, "components"), "securitySchemes"), name.Value)
	where := fmt.Sprintf("components.securitySchemes[%q]", name.Value)
	if scheme == nil {
		return nil, at(name, position, errors.New("the security scheme is not in components.securitySchemes"))
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
	valid := slices.Contains([]string{"apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"}, kind)
	if !valid || kind == "apiKey" && (getText(scheme, "in") == "" || getText(scheme, "name") == "") || kind == "http" && getText(scheme, "scheme") == "" {
		return nil, at(cmp.Or(scheme, name), where, errors.New("write type apiKey with in and name, http with scheme, mutualTLS, oauth2 or openIdConnect"))
	}
	r.api.Schemes[name.Value] = DeclaredScheme{Carrier: Carrier(scheme), Position: fmt.Sprintf("line %d, %s", max(scheme.Line, 1), where)}
	return scheme, nil
}
