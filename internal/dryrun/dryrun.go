// Package dryrun takes a request through Caddy's routes without an effect outside this
// process. Matchers, gates, and handlers that change a request for them run as usual. A
// placeholder handler replaces each handler that would answer, and records its name.
package dryrun

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/internal/routes"
)

// HandlerVariable is the variable under which `vars` has the name of a replaced handler, and
// kindVariable its kind, see [Harmless].
const (
	HandlerVariable = "auth.dryrun.handler"
	kindVariable    = "auth.dryrun.kind"
)

// Walk records the handlers that a request met.
type Walk struct {
	// Reached is the handler that would have answered. It is empty if a gate answered,
	// or a handler that ran.
	Reached string
	// Skipped are handlers of an unknown kind, which did not run. The request passed
	// them.
	Skipped []string
}

type walkKey struct{}

// Begin lets the handlers of routes of this package record in the returned walk.
func Begin(ctx context.Context) (context.Context, *Walk) {
	walk := new(Walk)
	return context.WithValue(ctx, walkKey{}, walk), walk
}

// In reports whether a request belongs to a dry run.
func In(ctx context.Context) bool { return ctx.Value(walkKey{}) != nil }

// Server returns a server with what a dry run needs.
func Server(server *caddyhttp.Server) (*caddyhttp.Server, error) {
	var b builder
	dry := &caddyhttp.Server{NamedRoutes: make(map[string]*caddyhttp.Route, len(server.NamedRoutes))}
	dry.Routes = b.routes(server.Routes)
	for name, route := range server.NamedRoutes {
		dry.NamedRoutes[name] = &b.routes(caddyhttp.RouteList{*route})[0]
	}
	dry.Errors = b.errors(server.Errors)
	return dry, b.err
}

// Routes returns routes that match like the given ones and have no effect.
func Routes(routes caddyhttp.RouteList) (caddyhttp.RouteList, error) {
	var b builder
	dry := b.routes(routes)
	return dry, b.err
}

// builder makes routes; err is the first error.
type builder struct{ err error }

func (b *builder) routes(routes caddyhttp.RouteList) caddyhttp.RouteList {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	defer cancel()
	dry := make(caddyhttp.RouteList, len(routes))
	for i, route := range routes {
		dry[i] = caddyhttp.Route{Group: route.Group, Terminal: route.Terminal, MatcherSets: route.MatcherSets}
		for _, handler := range route.Handlers {
			dry[i].Handlers = append(dry[i].Handlers, b.replace(handler))
		}
		// Nothing is raw, so Provision loads no module and only chains the handlers.
		if err := dry[i].ProvisionHandlers(ctx, nil); err != nil && b.err == nil {
			b.err = err
		}
	}
	return dry
}

func (b *builder) errors(config *caddyhttp.HTTPErrorConfig) *caddyhttp.HTTPErrorConfig {
	if config == nil {
		return nil
	}
	return &caddyhttp.HTTPErrorConfig{Routes: b.routes(config.Routes)}
}

func (b *builder) replace(handler caddyhttp.MiddlewareHandler) caddyhttp.MiddlewareHandler {
	switch handler := handler.(type) {
	case inertHandler:
		return handler
	case *caddyhttp.Subroute:
		return &caddyhttp.Subroute{Routes: b.routes(handler.Routes), Errors: b.errors(handler.Errors)}
	case *caddyhttp.StaticResponse:
		if handler.Abort {
			return inertHandler{"abort", routes.Answers}
		}
	case *caddyhttp.VarsMiddleware:
		if name, ok := (*handler)[HandlerVariable].(string); ok {
			return inertNamed(name, (*handler)[kindVariable])
		}
	case caddyhttp.VarsMiddleware:
		if name, ok := handler[HandlerVariable].(string); ok {
			return inertNamed(name, handler[kindVariable])
		}
	}
	module, ok := handler.(caddy.Module)
	if !ok {
		return inertHandler{name: fmt.Sprintf("%T", handler)}
	}
	described := routes.Handler{Name: module.CaddyModule().ID.Name()}
	if described.Safe() {
		return handler
	}
	if config, err := json.Marshal(handler); err == nil {
		described.Config = config
	}
	return inertFor(described)
}

// inertHandler replaces a handler that does not run. Its kind is empty for an unknown
// handler.
type inertHandler struct {
	name string
	kind routes.Kind
}

func inertFor(h routes.Handler) inertHandler {
	if !h.Known() {
		return inertHandler{name: h.Name}
	}
	return inertHandler{h.Name, h.Kind()}
}

// inertNamed returns the inert handler for a handler whose kind [Harmless] kept.
func inertNamed(name string, kind any) inertHandler {
	text, _ := kind.(string)
	return inertHandler{name, routes.Kind(text)}
}

// ServeHTTP records the handler, and passes the request on unless the handler would
// answer.
func (s inertHandler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	walk, ok := r.Context().Value(walkKey{}).(*Walk)
	switch {
	case !ok:
		return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("%s is missing in a dry run", s.name))
	case s.kind == routes.Answers:
		walk.Reached = s.name
		return nil
	case s.kind != routes.Passes && !slices.Contains(walk.Skipped, s.name):
		walk.Skipped = append(walk.Skipped, s.name)
	}
	return next.ServeHTTP(w, r)
}
