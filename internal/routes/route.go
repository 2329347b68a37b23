package routes

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
)

// all iterates over the routes of a server and the routes inside of them.
func (s *Server) all() iter.Seq[Route] {
	return func(yield func(Route) bool) {
		_ = each(s.Routes, yield) && each(s.Errors, yield) && each(slices.Collect(maps.Values(s.Named)), yield)
	}
}

// each calls yield for routes and those inside of them, until it returns false.
func each(routes []Route, yield func(Route) bool) bool {
	for _, route := range routes {
		if !yield(route) {
			return false
		}
		for _, h := range route.Handle {
			inner := slices.Concat(h.Routes, h.Errors)
			for _, response := range h.Responses {
				inner = append(inner, response.Routes...)
			}
			if !each(inner, yield) {
				return false
			}
		}
	}
	return true
}

// Handlers iterates over the handlers of a server, nested ones included.
func (s *Server) Handlers() iter.Seq[Handler] {
	return func(yield func(Handler) bool) {
		for route := range s.all() {
			for _, handler := range route.Handle {
				if !yield(handler) {
					return
				}
			}
		}
	}
}

// matters reports whether it makes a difference which requests a route matches, for a
// request or, after a denial, for the answer.
func (r Route) matters(denied bool) bool {
	return r.Terminal || r.Group != "" || slices.ContainsFunc(r.Handle, func(h Handler) bool {
		return h.Kind() != Passes || !h.Known() || slices.Contains(followed, h.Name) || len(h.Errors)+len(h.Responses) > 0 ||
			h.usesIdentity() || (denied || choosesRoot(h)) && slices.Contains(remembered, h.Name) ||
			slices.ContainsFunc(h.Routes, func(r Route) bool { return r.matters(denied) })
	})
}

// followed are handlers that hand requests on and matter nevertheless.
var followed = []string{"rewrite", "invoke", "auth_cors"}

// remembered are handlers that matter to those behind them.
var remembered = []string{"vars", "map", "templates"}

// choosesRoot reports whether a handler lets requests choose the root of file
// servers.
func choosesRoot(h Handler) bool {
	var variables struct {
		Root string `json:"root"`
	}
	return h.Name == "vars" && json.Unmarshal(h.Config, &variables) == nil && strings.Contains(variables.Root, "{")
}

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
