package openapi

import (
	"slices"
	"strings"
)

// Scheme is a security scheme: the name that it should have among the
// components, and what stands there.
type Scheme struct {
	Name   string
	Object *Object
}

// Guard is what one gate asks for.
type Guard struct {
	// Schemes are alternatives.
	Schemes []Scheme
	// Optional gates let callers without credentials pass.
	Optional bool
	// Scopes are what a token needs.
	Scopes []string
	// Forbids gates can answer 403. Requires says in words what the 403 names;
	// empty for nothing.
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

// product returns the ways to meet two lists of alternatives at once. A way
// that asks for more than another is left out.
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

// readSecurity reads a member `security`; ok is false if there is none that
// can be understood.
func readSecurity(value any) (all []alternative, ok bool) {
	list, ok := value.([]any)
	if !ok {
		return nil, false
	}
	for _, element := range list {
		object, ok := element.(*Object)
		if !ok {
			return nil, false
		}
		one := alternative{}
		for _, name := range object.names {
			var scopes []string
			listed, _ := object.Get(name).([]any)
			for _, scope := range listed {
				if scope, ok := scope.(string); ok {
					scopes = append(scopes, scope)
				}
			}
			one = append(one, entry{name: name, scopes: scopes})
		}
		all = append(all, one)
	}
	return all, true
}

func writeSecurity(all []alternative) []any {
	list := []any{}
	for _, one := range all {
		object := new(Object)
		for _, entry := range one {
			scopes := []any{}
			for _, scope := range entry.scopes {
				scopes = append(scopes, scope)
			}
			object.Set(entry.name, scopes)
		}
		list = append(list, object)
	}
	return list
}

// carrier says by what a security scheme is carried: two schemes that are
// carried alike are met by one credential.
func carrier(scheme *Object) string {
	if scheme == nil {
		return ""
	}
	text := func(name string) string {
		value, _ := scheme.Get(name).(string)
		return value
	}
	switch text("type") {
	case "oauth2", "openIdConnect":
		return "http bearer"
	case "apiKey":
		name := text("name")
		if text("in") == "header" {
			name = strings.ToLower(name)
		}
		return "apiKey " + text("in") + " " + name
	case "http":
		return "http " + strings.ToLower(text("scheme"))
	}
	return text("type")
}
