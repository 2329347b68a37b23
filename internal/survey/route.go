package survey

import "slices"

// matters reports whether it makes a difference who takes a route.
func (r Route) matters() bool {
	return r.Terminal || r.Group != "" || slices.ContainsFunc(r.Handle, func(h Handler) bool {
		return h.Kind() != Passes || !h.Known() || slices.Contains(followed, h.Name) || slices.ContainsFunc(h.Routes, Route.matters)
	})
}

// followed are handlers that hand requests on and matter nevertheless.
var followed = []string{"rewrite", "invoke", "auth_cors"}

// guards reports whether there is a gate in the route.
func (r Route) guards() bool {
	return slices.ContainsFunc(r.Handle, func(h Handler) bool {
		return h.Kind() == Guards || h.Name == "invoke" || slices.ContainsFunc(h.Routes, Route.guards)
	})
}

// withoutTaken narrows a scope by what surely goes elsewhere.
func (r Region) withoutTaken(m Matcher) Region {
	for _, one := range m {
		if left, ok := r.Without(one.Set); ok && len(one.Except) == 0 {
			r = left
		}
	}
	return r
}

// orAll makes the matcher that is not there one that matches all.
func orAll(m Matcher) Matcher {
	if len(m) == 0 {
		return Matcher{Region{}}
	}
	return m
}
