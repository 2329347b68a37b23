package requireauth

import (
	"fmt"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// positions says where in the configuration each gate stands: a path of Caddy's
// config API, so that `GET /config/…` shows the gate. Gates among the routes of
// other handlers than subroutes have none.
type positions map[*RequireAuth]string

func positionsIn(app *caddyhttp.App) positions {
	found := make(positions)
	for name, server := range app.Servers {
		at := "/config/apps/http/servers/" + url.PathEscape(name)
		found.inRoutes(at+"/routes", server.Routes)
		if server.Errors != nil {
			found.inRoutes(at+"/errors/routes", server.Errors.Routes)
		}
		for name, route := range server.NamedRoutes {
			found.inRoute(at+"/named_routes/"+url.PathEscape(name), route)
		}
	}
	return found
}

func (p positions) inRoutes(at string, routes caddyhttp.RouteList) {
	for i := range routes {
		p.inRoute(fmt.Sprintf("%s/%d", at, i), &routes[i])
	}
}

func (p positions) inRoute(at string, route *caddyhttp.Route) {
	for i, handler := range route.Handlers {
		here := fmt.Sprintf("%s/handle/%d", at, i)
		switch handler := handler.(type) {
		case *RequireAuth:
			p[handler] = here
		case *caddyhttp.Subroute:
			p.inRoutes(here+"/routes", handler.Routes)
			if handler.Errors != nil {
				p.inRoutes(here+"/errors/routes", handler.Errors.Routes)
			}
		}
	}
}
