package requireauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
)

// siteRegistry keeps the fields that gates forward out of every request to their
// site, also on routes without a gate. The site of a gate is what its requests'
// host can reach: in the Caddyfile a site block.
type siteRegistry struct {
	mutex    sync.Mutex
	gates    []forwardingGate
	removers map[*caddyhttp.Server]*fieldRemover
}

// forwardingGate is a gate by the handler of the server's route around it.
type forwardingGate struct {
	outermost caddy.Module
	names     fieldNames
}

// outermostHandler returns the handler that is in a route of the server itself:
// the gate, or a handler around it. It is nil outside of an HTTP server.
func outermostHandler(ctx caddy.Context) (*caddyhttp.App, caddy.Module) {
	modules := ctx.Modules()
	for i, module := range modules[:max(0, len(modules)-1)] {
		if app, ok := module.(*caddyhttp.App); ok {
			return app, modules[i+1]
		}
	}
	return nil, nil
}

// add takes a gate up while its server is loaded.
func (s *siteRegistry) add(servers *caddyhttp.App, gate forwardingGate, app *App) {
	if servers == nil || len(gate.names) == 0 {
		return
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.gates = append(s.gates, gate)
	for _, server := range servers.Servers {
		if s.removers[server] != nil || len(server.Routes) == 0 {
			continue
		}
		if s.removers == nil {
			s.removers = make(map[*caddyhttp.Server]*fieldRemover)
		}
		remover := &fieldRemover{server: server}
		remover.routes = sync.OnceValue(func() []siteRoute { return s.routesOf(server, app) })
		s.removers[server] = remover
		remover.install()
	}
}

var errTooLate = errors.New("a gate in a named route or an error route has `forward`, and its site has no host: write the site with a host, or the gate in the site itself")

// check reads the routes of all servers, and refuses those that a remover cannot
// be put in front of.
func (s *siteRegistry) check() error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, remover := range s.removers {
		if len(remover.routes()) > 0 && remover.late {
			return errTooLate
		}
	}
	return nil
}

// fieldRemover is the first matcher of the first route of a server, so that it
// sees each request before anything else does. It matches them all.
type fieldRemover struct {
	server *caddyhttp.Server
	routes func() []siteRoute
	late   bool // the routes were compiled without it
}

// install works while the routes of the server are loaded. Caddy compiles them
// when all are loaded; matchers of a set that exists are shared with what it
// compiled.
func (f *fieldRemover) install() {
	first := &f.server.Routes[0]
	if len(first.MatcherSets) > 0 {
		first.MatcherSets[0] = append(caddyhttp.MatcherSet{f}, first.MatcherSets[0]...)
		return
	}
	f.late = !slices.ContainsFunc(f.server.Routes, func(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 })
	first.MatcherSets = caddyhttp.MatcherSets{{f}}
}

// MatchWithError removes the fields and matches.
func (f *fieldRemover) MatchWithError(r *http.Request) (bool, error) {
	for _, route := range f.routes() {
		if !route.mayTake(r) {
			continue
		}
		route.names.removeFrom(r, nil)
		if route.takes(r) {
			break
		}
	}
	return true, nil
}

// siteRoute is a route of a server, as far as hosts decide about it.
type siteRoute struct {
	sets     []hostSet // none: every request
	terminal bool
	names    fieldNames // forwarded by the gates in it
}

// hostSet is a set of matchers: its host matcher, and whether it has another.
type hostSet struct {
	host *caddyhttp.MatchHost // nil: every host
	more bool
}

func (s hostSet) matches(r *http.Request) bool {
	if s.host == nil {
		return true
	}
	matches, err := s.host.MatchWithError(r)
	return matches || err != nil
}

// mayTake reports whether the route can match a request to this host.
func (s siteRoute) mayTake(r *http.Request) bool {
	return len(s.sets) == 0 || slices.ContainsFunc(s.sets, func(set hostSet) bool { return set.matches(r) })
}

// takes reports whether no request to this host gets past the route.
func (s siteRoute) takes(r *http.Request) bool {
	return s.terminal && (len(s.sets) == 0 || slices.ContainsFunc(s.sets, func(set hostSet) bool { return !set.more && set.matches(r) }))
}

// routesOf reads the routes of a server when all gates are loaded; none if no
// gate among them forwards.
func (s *siteRegistry) routesOf(server *caddyhttp.Server, app *App) []siteRoute {
	var routes []siteRoute
	for _, named := range server.NamedRoutes {
		// It may be invoked from everywhere.
		routes = append(routes, siteRoute{names: s.namesIn(*named, app)})
	}
	forwards := false
	all := server.Routes
	if server.Errors != nil {
		all = slices.Concat(server.Errors.Routes, all)
	}
	for i, route := range all {
		read := siteRoute{names: s.namesIn(route, app), terminal: route.Terminal && i >= len(all)-len(server.Routes)}
		for _, set := range route.MatcherSets {
			read.sets = append(read.sets, hostSetOf(set))
		}
		routes = append(routes, read)
	}
	for _, route := range routes {
		forwards = forwards || len(route.names) > 0
	}
	if !forwards {
		return nil
	}
	return routes
}

func hostSetOf(set caddyhttp.MatcherSet) (read hostSet) {
	for _, matcher := range set {
		switch matcher := matcher.(type) {
		case *caddyhttp.MatchHost:
			read.host = matcher
		case *fieldRemover:
		default:
			read.more = true
		}
	}
	return read
}

// namesIn returns what the gates in a route forward. A field that a credential
// can come in stays for the gate, which removes it after the decision.
func (s *siteRegistry) namesIn(route caddyhttp.Route, app *App) (names fieldNames) {
	for _, gate := range s.gates {
		if !slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool { return any(h) == any(gate.outermost) }) {
			continue
		}
		for _, name := range gate.names {
			if !app.findsCredentialIn(name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// findsCredentialIn reports whether a declared scheme looks for a credential in
// the header field of this name.
func (a *App) findsCredentialIn(folded string) bool {
	if folded == "authorization" || folded == "dpop" {
		return true
	}
	probe, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
	if err != nil {
		return false
	}
	probe.Header.Set(folded, "x")
	return carriesCredential(authn.NewRequest(probe), *a.registry.declared.Load())
}

// siteOfRequest identifies the site of a gate: the route of its server that takes all
// requests, or the whole server.
func siteOfRequest(r *http.Request, outermost caddy.Module) any {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil {
		return outermost
	}
	for _, route := range server.Routes {
		if route.Terminal && slices.ContainsFunc(route.Handlers, func(h caddyhttp.MiddlewareHandler) bool { return any(h) == any(outermost) }) {
			return outermost
		}
	}
	return server
}

// Interface guard
var _ caddyhttp.RequestMatcherWithError = (*fieldRemover)(nil)
