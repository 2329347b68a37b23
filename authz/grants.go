package authz

import "slices"

// grants lists, for each required scope, the scopes that grant it: the scope itself and
// all that imply it, directly or through others.
type grants map[string][]string

// newGrants inverts the implications when a configuration is loaded, so that a request
// only looks them up.
func newGrants(required []string, implies map[string][]string) grants {
	g := make(grants, len(required))
	for _, scope := range required {
		granting := []string{scope}
		for i := 0; i < len(granting); i++ {
			for holder, implied := range implies {
				if slices.Contains(implied, granting[i]) && !slices.Contains(granting, holder) {
					granting = append(granting, holder)
				}
			}
		}
		g[scope] = granting
	}
	return g
}

// cover reports whether the held scopes grant the required one.
func (g grants) cover(scopes []string, required string) bool {
	for _, scope := range g[required] {
		if slices.Contains(scopes, scope) {
			return true
		}
	}
	return false
}
