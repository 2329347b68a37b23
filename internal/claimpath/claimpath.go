// Package claimpath finds claims by paths, and judges their values.
package claimpath

import (
	"math"
	"slices"
	"strings"
)

// Lookup finds the claim at a path such as `realm_access.roles`. A member name can
// contain dots, as in `https://example.com/roles`: the longest name that exists
// decides at each level.
func Lookup(claims map[string]any, path string) (any, bool) {
	if value, ok := claims[path]; ok {
		return value, true
	}
	for end := strings.LastIndexByte(path, '.'); end > 0; end = strings.LastIndexByte(path[:end], '.') {
		if inner, ok := claims[path[:end]].(map[string]any); ok {
			if value, ok := Lookup(inner, path[end+1:]); ok {
				return value, true
			}
		}
	}
	return nil, false
}

// Exact reports whether a value has all the digits of its numbers. An integer beyond 64
// bits is rounded, so two users could have the same one.
func Exact(value any) bool {
	switch value := value.(type) {
	case float64:
		return math.Abs(value) < 1<<53
	case []any:
		return !slices.ContainsFunc(value, func(member any) bool { return !Exact(member) })
	case map[string]any:
		for _, member := range value {
			if !Exact(member) {
				return false
			}
		}
	}
	return true
}
