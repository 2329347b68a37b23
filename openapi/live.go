package openapi

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/internal/survey"
)

// serverOf describes a running server. Caddy forgets the JSON of what it has
// loaded, so it is written again from the modules.
func serverOf(running *caddyhttp.Server) *survey.Server {
	server := &survey.Server{Routes: routesOf(running.Routes, 0), Named: make(map[string]survey.Route)}
	for name, route := range running.NamedRoutes {
		server.Named[name] = routesOf(caddyhttp.RouteList{*route}, 0)[0]
	}
	return server
}

// maxDepth is how deeply routes are followed.
const maxDepth = 100

func routesOf(list caddyhttp.RouteList, depth int) []survey.Route {
	if depth > maxDepth {
		return nil
	}
	routes := make([]survey.Route, len(list))
	for i, route := range list {
		routes[i] = survey.Route{Group: route.Group, Terminal: route.Terminal, Match: matcherOf(route.MatcherSets)}
		for _, handler := range route.Handlers {
			routes[i].Handle = append(routes[i].Handle, handlerOf(handler, depth))
		}
	}
	return routes
}

func handlerOf(handler any, depth int) survey.Handler {
	described := survey.Handler{Name: nameOf(handler), Config: written(handler), Live: handler}
	if subroute, ok := handler.(*caddyhttp.Subroute); ok {
		described.Routes = routesOf(subroute.Routes, depth+1)
	}
	return described
}

func nameOf(module any) string {
	if module, ok := module.(caddy.Module); ok {
		return module.CaddyModule().ID.Name()
	}
	return ""
}

// written is a module as JSON, as far as it can be written.
func written(module any) json.RawMessage {
	text, err := json.Marshal(module)
	if err != nil {
		return nil
	}
	return text
}

func matcherOf(sets caddyhttp.MatcherSets) survey.Matcher {
	return survey.NewMatcher(setsOf(sets))
}

func setsOf(sets []caddyhttp.MatcherSet) []survey.MatcherSet {
	all := make([]survey.MatcherSet, len(sets))
	for i, set := range sets {
		all[i] = make(survey.MatcherSet)
		for _, matcher := range set {
			raw := written(matcher)
			if not, ok := matcher.(*caddyhttp.MatchNot); ok {
				raw = written(setsOf(not.MatcherSets))
			}
			all[i][nameOf(matcher)] = raw
		}
	}
	return all
}
