package routes

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// OfServer describes a server at any stage of loading. Caddy forgets the JSON of
// loaded modules, so it is written again from the modules.
func OfServer(name string, server *caddyhttp.Server) (*Server, error) {
	r := reader{where: whereIs(name)}
	described := &Server{Name: name, Where: r.where, Routes: r.routes(server.Routes, r.where+"/routes", 0), Named: make(map[string]Route)}
	for name, route := range server.NamedRoutes {
		described.Named[name] = r.routes(caddyhttp.RouteList{*route}, r.where+"/named_routes/"+url.PathEscape(name), 0)[0]
	}
	if server.Errors != nil {
		described.Errors = r.routes(server.Errors.Routes, r.where+"/errors/routes", 0)
	}
	return described, r.err
}

// reader reads routes; err is the first error.
type reader struct {
	where string
	err   error
}

func (r *reader) routes(list caddyhttp.RouteList, where string, depth int) []Route {
	if depth > maxDepth {
		return nil
	}
	routes := make([]Route, len(list))
	for i, route := range list {
		position := fmt.Sprintf("%s/%d", where, i)
		routes[i] = Route{Group: route.Group, Terminal: route.Terminal, Match: matcherOf(route)}
		for j, raw := range route.HandlersRaw {
			handler, err := ReadHandler(raw, fmt.Sprintf("%s/handle/%d", position, j))
			if err != nil && r.err == nil {
				r.err = err
			}
			routes[i].Handle = append(routes[i].Handle, handler)
		}
		for j, handler := range route.Handlers {
			routes[i].Handle = append(routes[i].Handle, r.handler(handler, fmt.Sprintf("%s/handle/%d", position, j), depth))
		}
	}
	return routes
}

func (r *reader) handler(handler any, where string, depth int) Handler {
	described := Handler{Name: nameOf(handler), Config: configOf(handler), Where: where, Live: handler}
	switch handler := handler.(type) {
	case *caddyhttp.Subroute:
		described.Routes = r.routes(handler.Routes, where+"/routes", depth+1)
		if handler.Errors != nil {
			described.Errors = r.routes(handler.Errors.Routes, where+"/errors/routes", depth+1)
		}
	case *intercept.Intercept:
		described.Responses = r.responses(handler.HandleResponse, where, depth)
	case *reverseproxy.Handler:
		described.Responses = r.responses(handler.HandleResponse, where, depth)
		described.Config = withTransport(described.Config, handler.Transport)
	}
	return described
}

func (r *reader) responses(list []caddyhttp.ResponseHandler, where string, depth int) []Response {
	responses := make([]Response, len(list))
	for i, one := range list {
		if one.Match != nil {
			responses[i] = newResponse(one.Match.StatusCode, one.Match.Headers)
		}
		responses[i].Routes = r.routes(one.Routes, fmt.Sprintf("%s/handle_response/%d/routes", where, i), depth+1)
	}
	return responses
}

// withTransport adds the transport to the JSON of a proxy, which has lost it.
func withTransport(proxy json.RawMessage, transport any) json.RawMessage {
	if transport == nil {
		return proxy
	}
	var members, inner map[string]any
	if json.Unmarshal(proxy, &members) != nil || json.Unmarshal(configOf(transport), &inner) != nil {
		return proxy
	}
	inner["protocol"] = nameOf(transport)
	members["transport"] = inner
	return configOf(members)
}

func nameOf(module any) string {
	if module, ok := module.(caddy.Module); ok {
		return module.CaddyModule().ID.Name()
	}
	return ""
}

// configOf returns a module as JSON, or nil if that fails.
func configOf(module any) json.RawMessage {
	text, err := json.Marshal(module)
	if err != nil {
		return nil
	}
	return text
}

func matcherOf(route caddyhttp.Route) Matcher {
	if len(route.MatcherSetsRaw) == 0 {
		return NewMatcher(setsOf(route.MatcherSets))
	}
	sets := make([]MatcherSet, len(route.MatcherSetsRaw))
	for i, set := range route.MatcherSetsRaw {
		sets[i] = MatcherSet(set)
	}
	return NewMatcher(sets)
}

func setsOf(sets []caddyhttp.MatcherSet) []MatcherSet {
	all := make([]MatcherSet, len(sets))
	for i, set := range sets {
		all[i] = make(MatcherSet)
		for _, matcher := range set {
			if nameOf(matcher) == "" {
				continue // a gate's own, which matches every request
			}
			raw := configOf(matcher)
			if not, ok := matcher.(*caddyhttp.MatchNot); ok {
				raw = configOf(setsOf(not.MatcherSets))
			}
			all[i][nameOf(matcher)] = raw
		}
	}
	return all
}
