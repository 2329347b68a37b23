package routes

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
)

// Substitute is a handler, or the error routes, that may answer in the place of a
// gate that denies a request.
type Substitute struct {
	// Handler has the routes: an intercept or a subroute; the zero value is the
	// server.
	Handler
	Responses []Response
}

// Directive is what it is called in a Caddyfile.
func (s Substitute) Directive() string {
	if s.Name == "intercept" {
		return s.Name
	}
	return "handle_errors"
}

// takesDenials reports whether some routes of it may answer a denial of the gate.
func (s Substitute) takesDenials(placed PlacedGate) bool {
	return slices.ContainsFunc(s.Responses, func(r Response) bool { return slices.ContainsFunc(placed.statuses(), r.takes) })
}

func (s Substitute) same(other Substitute) bool {
	return s.Where == other.Where && s.Live == other.Live
}

// Leak is a way by which a handler may answer a denied request with the guarded
// resource, because it serves the path of the request.
type Leak struct {
	Row
	// Denied is the gate, Substitute what has the routes of the answer.
	Denied     PlacedGate
	Substitute Substitute
	// Status is the first one for which it is so.
	Status int
}

// statuses are those of the denials of a gate.
func (g Gate) statuses() []int {
	all := []int{401, 403, 400, 425, 429, 431, 500, 503}
	var config struct {
		Hide    string          `json:"hide"`
		OpenAPI json.RawMessage `json:"openapi"`
		MCP     struct {
			Inspect int64 `json:"inspect"`
		} `json:"mcp"`
	}
	if json.Unmarshal(g.Config, &config) != nil || config.Hide != "" || config.OpenAPI != nil {
		all = append(all, http.StatusNotFound)
	}
	if config.MCP.Inspect > 0 {
		all = append(all, http.StatusRequestEntityTooLarge)
	}
	return all
}

// Leaks follows the denials of all gates of a server through the routes that may
// answer in their place.
func (c *Config) Leaks(server *Server, found Analysis) (all []Leak) {
	for _, placed := range found.Gates {
		substitutes := placed.Substitutes
		if len(server.Errors) > 0 {
			substitutes = append(slices.Clip(substitutes), Substitute{Responses: []Response{{Routes: server.Errors}}})
		}
		for _, one := range substitutes {
			if placed.Handler == "forward_auth" && one.Directive() == "handle_errors" {
				continue // it passes the answer of the other server on
			}
			statuses := placed.statuses()
			if one.Directive() == "handle_errors" && found.mayFail(placed, substitutes) {
				statuses = anyError
			}
			for _, leak := range c.leaksOf(server, placed, one, statuses) {
				if !slices.ContainsFunc(all, leak.same) {
					all = append(all, leak)
				}
			}
		}
	}
	return all
}

// anyError are the statuses of errors.
var anyError = func() (all []int) {
	for status := 400; status < 600; status++ {
		all = append(all, status)
	}
	return all
}()

// mayFail reports whether requests that a gate guards may come to the error routes with
// any status: what runs before the gate fails, or the routes of an intercept do.
func (a Analysis) mayFail(placed PlacedGate, substitutes []Substitute) bool {
	return slices.ContainsFunc(substitutes, func(s Substitute) bool { return s.Directive() == "intercept" && s.takesDenials(placed) }) ||
		slices.ContainsFunc(a.Rows, func(row Row) bool {
			return row.Handler.Name == "error" && row.Order < placed.Order && placed.Meets(row)
		}) ||
		slices.ContainsFunc(a.Gates, func(gate PlacedGate) bool {
			_, meets := gate.Scope.And(placed.Scope)
			return gate.Handler == "forward_auth" && gate.Order < placed.Order && meets
		}) ||
		slices.ContainsFunc(a.failures, func(f failure) bool {
			_, meets := f.scope.And(placed.Scope)
			return f.order < placed.Order && meets
		})
}

// fails reports whether a matcher of the route fails where no file is found, as
// `try_files {path} =404` does.
func (r Route) fails() bool {
	return slices.ContainsFunc(r.Match, func(region Region) bool {
		return slices.ContainsFunc(region.Other, func(c Condition) bool { return c.Matcher == "file" && failing.MatchString(c.Value) })
	})
}

// failing finds a status among files to try.
var failing = regexp.MustCompile(`"=\d{3}"`)

// leaksOf follows the denials of one gate through what may answer in its place.
func (c *Config) leaksOf(server *Server, placed PlacedGate, substitute Substitute, statuses []int) (all []Leak) {
	for _, status := range statuses {
		for _, row := range c.answers(server, placed, substitute, status) {
			all = append(all, Leak{Row: row, Denied: placed, Substitute: substitute, Status: status})
		}
	}
	return all
}

func (l Leak) same(other Leak) bool {
	return l.Denied.Where == other.Denied.Where && l.Denied.Live == other.Denied.Live &&
		l.Handler.Where == other.Handler.Where && l.Handler.Live == other.Handler.Live && l.Handler.Name == other.Handler.Name
}

// answers returns the rows in which the denials of a gate with one status may be
// answered with what is guarded.
func (c *Config) answers(server *Server, placed PlacedGate, substitute Substitute, status int) (rows []Row) {
	for _, response := range substitute.Responses {
		if !response.takes(status) {
			continue
		}
		for _, region := range placed.deniedRegions() {
			w := &walker{config: c, server: server, scope: region, status: status}
			ways := []state{{region: region, foreignRoot: placed.foreignRoot}}
			if substitute.Name == "intercept" && placed.View.MovedPath() {
				ways = append(ways, state{region: region, foreignRoot: placed.foreignRoot, view: placed.View}) // the path stays rewritten
			}
			for _, end := range w.routes(response.Routes, ways) {
				w.finish(end)
			}
			rows = append(rows, w.Rows...)
		}
		if !response.Conditional {
			break // the first that takes a status is the only one
		}
	}
	return rows
}

// addSubstitutes adds what may answer in the place of the gate.
func (p *PlacedGate) addSubstitutes(ways []state) {
	for _, way := range ways {
		p.foreignRoot = p.foreignRoot || way.foreignRoot
		for _, substitute := range way.substitutes {
			if !slices.ContainsFunc(p.Substitutes, substitute.same) {
				p.Substitutes = append(p.Substitutes, substitute)
			}
		}
	}
}

// deniedRegions returns the requests that a gate may deny, by their original path.
func (p PlacedGate) deniedRegions() (all []Region) {
	for _, region := range orAll(p.Match) {
		if sent, ok := p.View.translate(region); ok {
			if part, some := p.Scope.And(sent); some {
				all = append(all, part)
			}
		}
	}
	return all
}

// leaks reports whether a handler may answer a denied request with what it was
// denied.
func (s state) leaks(h Handler) bool {
	var config struct {
		Body      string          `json:"body"`
		Root      string          `json:"root"`
		Index     []string        `json:"index_names"`
		Browse    json.RawMessage `json:"browse"`
		Transport struct {
			Protocol string            `json:"protocol"`
			Env      map[string]string `json:"env"`
		} `json:"transport"`
	}
	if json.Unmarshal(h.Config, &config) != nil {
		return true
	}
	switch h.Name {
	case "static_response":
		return s.templates && !s.isOwn(config.Body) // a template can include anything
	case "file_server":
		foreign := func(index string) bool { return !s.isOwn(index) }
		return !s.view.Own || s.foreignRoot && config.Root == "" || foreign(withoutHost(config.Root)) ||
			config.Browse != nil || slices.ContainsFunc(config.Index, foreign)
	case "reverse_proxy":
		uri, written := config.Transport.Env["REQUEST_URI"] // by default the one that the client sent
		return !s.view.Own || config.Transport.Protocol == "fastcgi" && (!written || !s.isOwn(uri))
	case "copy_response":
		return !s.inner
	case "metrics", "acme_server":
		return true // they go by no path
	}
	return !s.view.Own
}

// resolve returns a route for the status of the denial, if it is known. never is true if
// the route then matches no request.
func (w *walker) resolve(route Route) (resolved Route, never bool) {
	if w.status != 0 {
		route.Match, never = route.Match.at(w.status)
	}
	return route, never
}

// subroute follows the routes of a subroute. Its error routes answer for what is
// behind it too.
func (w *walker) subroute(h Handler, ways []state) []state {
	if len(h.Errors) == 0 {
		return w.routes(h.Routes, ways)
	}
	if w.status != 0 {
		for _, end := range w.routes(h.Errors, ways) {
			w.finish(end)
		}
	}
	return w.routes(h.Routes, w.surround(ways, Substitute{Handler: h, Responses: []Response{{Routes: h.Errors}}}))
}

// surround notes what may answer in the place of the gates that ways come to.
func (w *walker) surround(ways []state, with Substitute) []state {
	if len(with.Responses) == 0 {
		return ways
	}
	w.substitutes = append(w.substitutes, with)
	after := slices.Clone(ways)
	for i := range after {
		after[i].substitutes = append(slices.Clip(after[i].substitutes), with)
	}
	return after
}

// remember notes what a handler makes of variables, or that answers behind it
// are templates.
func (w *walker) remember(h Handler, ways []state) []state {
	after := slices.Clone(ways)
	for i := range after {
		if h.Name == "templates" {
			after[i].templates = true
		} else {
			after[i] = after[i].afterVars(h, w.server)
		}
	}
	return after
}

// responses follows the routes that a proxy, or an intercept, has for answers. They see
// the path as it was before it.
func (w *walker) responses(h Handler, ways []state) {
	inside := slices.Clone(ways)
	for i := range inside {
		inside[i].inner = true
	}
	for _, response := range h.Responses {
		for _, end := range w.routes(response.Routes, inside) {
			if w.status != 0 {
				w.finish(end)
			}
		}
	}
}

// HasSubstitutes reports whether a server has routes that may answer in the
// place of a gate.
func (s *Server) HasSubstitutes() bool {
	for handler := range s.Handlers() {
		if len(handler.Errors)+len(handler.Responses) > 0 {
			return true
		}
	}
	return len(s.Errors) > 0
}

// Always reports whether it is so for every request that the gate denies.
func (l Leak) Always() bool {
	own := func(s Set) bool {
		return len(s.Hosts)+len(s.Methods)+len(s.Paths) == 0 && !slices.ContainsFunc(s.Other, func(c Condition) bool { return !c.After.Own })
	}
	return own(l.Set) && !slices.ContainsFunc(l.Except, func(s Set) bool { return !own(s) })
}

// What describes the fault.
func (l Leak) What() string {
	how := "by the path of the request"
	switch {
	case l.Handler.Name == "static_response":
		how = "with a template of which the request chooses a part"
	case l.View.Own && l.Handler.Name == "reverse_proxy":
		how = "by FastCGI, which hands the URI of the request on"
	case l.View.Own && l.Handler.Name == "file_server":
		how = "with a listing, or from a folder that the request chooses"
	case l.View.Own:
		how = "whatever its path is"
	}
	return fmt.Sprintf("%s may answer a denied request with what it was denied: %s answers %s", l.Substitute.Directive(), l.Handler.Name, how)
}

// Remedy says what to write instead.
func (l Leak) Remedy() string {
	switch {
	case l.Handler.Name == "static_response":
		return "leave `templates` out, or the placeholders of the request"
	case l.View.Own && l.Handler.Name == "reverse_proxy":
		return "write `env REQUEST_URI /error` in its block"
	case l.View.Own:
		return "answer with `respond` or with a page"
	}
	const page = "rewrite to a page first, such as `rewrite * /{err.status_code}.html`"
	if l.Status == http.StatusNotFound {
		return page + ": gates with `hide` or `openapi` answer 404"
	}
	return page + ", or match other statuses, such as `handle_errors 404`"
}
