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

// entry is a scheme in a security requirement.
type entry struct {
	name   string
	scopes []string
}

// alternative is a security requirement: all of the schemes in it.
type alternative []entry

func (a alternative) names() []string {
	names := make([]string, len(a))
	for i, entry := range a {
		names[i] = entry.name
	}
	return names
}

// and returns the requirement that both hold.
func (a alternative) and(b alternative) alternative {
	both := slices.Clone(a)
	for _, more := range b {
		i := slices.IndexFunc(both, func(e entry) bool { return e.name == more.name })
		if i < 0 {
			both = append(both, more)
			continue
		}
		for _, scope := range more.scopes {
			if !slices.Contains(both[i].scopes, scope) {
				both[i].scopes = append(slices.Clip(both[i].scopes), scope)
			}
		}
	}
	return both
}

// maxAlternatives bounds what several gates on one operation multiply to.
const maxAlternatives = 64

// product returns the ways to meet two lists of alternatives at once, without
// those that require more than another.
func product(x, y []alternative) []alternative {
	var all []alternative
	for _, left := range x {
		for _, right := range y {
			if len(all) < maxAlternatives {
				all = append(all, left.and(right))
			}
		}
	}
	return minimal(all)
}

func minimal(all []alternative) []alternative {
	var kept []alternative
	for i, one := range all {
		needless := slices.ContainsFunc(all, func(other alternative) bool {
			return len(other) > 0 && len(other) < len(one) && subset(other.names(), one.names())
		})
		twice := slices.ContainsFunc(all[:i], func(other alternative) bool {
			return len(other) == len(one) && subset(other.names(), one.names())
		})
		if !needless && !twice {
			kept = append(kept, one)
		}
	}
	return kept
}

func subset(x, y []string) bool {
	return !slices.ContainsFunc(x, func(name string) bool { return !slices.Contains(y, name) })
}

// readSecurity reads a member `security`; ok is false if it is missing or
// malformed.
func readSecurity(list *yaml.Node) (all []alternative, ok bool) {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, false
	}
	for _, element := range list.Content {
		if element.Kind != yaml.MappingNode {
			return nil, false
		}
		one := alternative{}
		for name, listed := range members(element) {
			var scopes []string
			for _, scope := range listed.Content {
				if listed.Kind == yaml.SequenceNode && scope.ShortTag() == "!!str" {
					scopes = append(scopes, scope.Value)
				}
			}
			one = append(one, entry{name: name.Value, scopes: scopes})
		}
		all = append(all, one)
	}
	return all, true
}

func writeSecurity(all []alternative) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, one := range all {
		requirement := object()
		for _, entry := range one {
			scopes := &yaml.Node{Kind: yaml.SequenceNode}
			for _, scope := range entry.scopes {
				scopes.Content = append(scopes.Content, text(scope))
			}
			set(requirement, entry.name, scopes)
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
