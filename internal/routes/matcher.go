package routes

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// MatcherSet is one set of matchers as it is configured, by module name.
type MatcherSet = map[string]json.RawMessage

// NewMatcher understands what a route matches.
func NewMatcher(sets []MatcherSet) Matcher {
	var matcher Matcher
	for _, set := range sets {
		region := Region{}
		for _, name := range slices.Sorted(maps.Keys(set)) {
			region = region.add(name, set[name])
		}
		matcher = append(matcher, region)
	}
	return matcher
}

func (r Region) add(name string, raw json.RawMessage) Region {
	if name == "not" {
		return r.addNot(raw)
	}
	var list []string
	understood := json.Unmarshal(raw, &list) == nil && len(list) > 0
	switch {
	case name == "host" && understood:
		r.Hosts = list
	case name == "method" && understood:
		r.Methods = list
	case name == "path" && understood:
		r.Paths = Paths(list...).Paths
	default:
		r.Other = append(r.Other, Condition{Matcher: name, Value: compact(raw)})
	}
	return r
}

// addNot takes out what the nested sets match. A matcher that is nested twice is a
// condition that is known by name only.
func (r Region) addNot(raw json.RawMessage) Region {
	var sets []MatcherSet
	if json.Unmarshal(raw, &sets) != nil {
		r.Other = append(r.Other, Condition{Matcher: "not", Value: compact(raw)})
		return r
	}
	for _, nested := range NewMatcher(sets) {
		if len(nested.Except) > 0 {
			r.Other = append(r.Other, Condition{Matcher: "not", Value: compact(raw)})
			continue
		}
		r.Except = append(r.Except, nested.Set)
	}
	return r
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return ""
	}
	return b.String()
}

// Paths is the set of requests whose path matches one of the patterns.
func Paths(patterns ...string) (s Set) {
	for _, pattern := range patterns {
		if everything(pattern) {
			return Set{}
		}
		if !strings.Contains(pattern, "{") {
			pattern = strings.ToLower(pattern)
		}
		s.Paths = append(s.Paths, Path{pattern})
	}
	return s
}
