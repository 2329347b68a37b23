// Package claimpath finds claims by paths.
package claimpath

import "strings"

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
