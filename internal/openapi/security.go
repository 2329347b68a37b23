package openapi

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Scheme is a security scheme: its preferred name among the components, and its
// object there.
type Scheme struct {
	Name   string
	Object *yaml.Node
}

// Guard is what one gate requires.
type Guard struct {
	// Schemes are alternatives.
	Schemes []Scheme
	// Optional gates let callers without credentials pass.
	Optional bool
	// Scopes are those that a token needs.
	Scopes []string
	// Forbids gates can answer 403. Requires describes what the 403 names; it may
	// be empty.
	Forbids  bool
	Requires string
	// Silent gates do not answer 403.
	Silent bool
}

// maxAlternatives bounds what several gates on one operation multiply to.
const maxAlternatives = 64

// product returns the ways to meet two lists of alternatives at once, without
// those that require more than another.
func product(x, y []Combination) []Combination {
	var all []Combination
	for _, left := range x {
		for _, right := range y {
			if len(all) < maxAlternatives {
				all = append(all, left.and(right))
			}
		}
	}
	return minimal(all)
}

func minimal(all []Combination) []Combination {
	var rest []Combination
	for i, one := range all {
		needless := slices.ContainsFunc(all, func(other Combination) bool {
			return len(other) > 0 && len(other) < len(one) && isSubset(other, one)
		})
		twice := slices.ContainsFunc(all[:i], func(other Combination) bool {
			return len(other) == len(one) && isSubset(other, one)
		})
		if !needless && !twice {
			rest = append(rest, one)
		}
	}
	return rest
}

// isSubset reports whether y has all schemes of x.
func isSubset(x, y Combination) bool {
	return !slices.ContainsFunc(x, func(one Credential) bool { return y.find(one.Scheme) < 0 })
}

// readSecurity reads a member `security`; ok is false if it is missing or
// malformed.
func readSecurity(list *yaml.Node) (all []Combination, ok bool) {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, false
	}
	for _, element := range list.Content {
		if element.Kind != yaml.MappingNode {
			return nil, false
		}
		one := Combination{}
		for name, listed := range members(element) {
			var scopes []string
			for _, scope := range listed.Content {
				if listed.Kind == yaml.SequenceNode && scope.ShortTag() == "!!str" {
					scopes = append(scopes, scope.Value)
				}
			}
			one = append(one, Credential{Scheme: name.Value, Scopes: scopes})
		}
		all = append(all, one)
	}
	return all, true
}

func writeSecurity(all []Combination) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, one := range all {
		requirement := object()
		for _, credential := range one {
			scopes := &yaml.Node{Kind: yaml.SequenceNode}
			for _, scope := range credential.Scopes {
				scopes.Content = append(scopes.Content, text(scope))
			}
			set(requirement, credential.Scheme, scopes)
		}
		list.Content = append(list.Content, requirement)
	}
	return list
}

// Carrier says how a security scheme is carried: one credential meets two
// schemes with the same carrier.
func Carrier(scheme *yaml.Node) string {
	return CarrierOf(getText(scheme, "type"), getText(scheme, "scheme"), getText(scheme, "in"), getText(scheme, "name"))
}

// CarrierOf is [Carrier] for the members of a security scheme.
func CarrierOf(kind, scheme, in, name string) string {
	switch kind {
	case "oauth2", "openIdConnect":
		return "http bearer"
	case "apiKey":
		if in == "header" {
			name = strings.ToLower(name)
		}
		return "apiKey " + in + " " + name
	case "http":
		return "http " + strings.ToLower(scheme)
	}
	return kind
}
