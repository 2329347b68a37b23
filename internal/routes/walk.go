package routes

import (
	"encoding/json"
	"slices"
	"strings"
)

// The bounds of a walk: ways at once, named routes that call each other, and handlers
// in all.
const (
	maxWays    = 400
	maxInvokes = 20
	maxOrder   = 100_000
)

// state is a way as far as it has been followed.
type state struct {
	region      Region
	view        View
	gates       []Gate
	groups      []string
	unknown     []string
	missed      []MissedGate
	rest        bool    // see [Row]
	last        Handler // the last handler of which it is not known what it does
	substitutes []Substitute

	// The knowledge of placeholders and handlers for the analysis of a denial.
	ownVars          []string // variables that no client chooses
	ownFile          bool     // nor what a matcher of files has found
	foreignRoot      bool     // a client chooses the root of file servers
	templates, inner bool     // behind templates, and behind a proxy
}

type walker struct {
	config *Config
	server *Server
	Analysis
	scope       Region
	view        View
	order       int
	invoked     int
	substitutes []Substitute
	status      int // of the denial whose answer is looked for; else 0
}

// Walk follows requests of a region through a server.
func (c *Config) Walk(server *Server, from Region) Analysis {
	w := &walker{config: c, server: server, scope: from}
	for _, end := range w.routes(server.Routes, []state{{region: from}}) {
		w.finish(end)
	}
	return w.Analysis
}

// finish ends a way on which nothing is known to answer: if there is a handler
// on it that could, it does.
func (w *walker) finish(s state) {
	if s.last.Name != "" {
		w.answer(s.last, Answers, s)
	}
}

// routes follows all ways through a list of routes and returns those that come out at
// its end. Requests of a terminal route never reach the routes behind it. Requests of a
// route in a group never reach the others of the group.
func (w *walker) routes(list []Route, ways []state) []state {
	scope := w.scope
	defer func() { w.scope = scope }()
	taken := make(map[string]Matcher)
	for _, route := range list {
		outer := w.scope
		if route.Group != "" {
			w.scope = w.scope.withoutTaken(taken[route.Group])
			taken[route.Group] = append(taken[route.Group], orAll(route.Match)...)
		}
		ways = w.route(route, ways)
		w.scope = outer
		if route.Terminal {
			w.scope = w.scope.withoutTaken(route.Match)
		}
	}
	return ways
}

func (w *walker) route(route Route, ways []state) []state {
	if !route.matters(w.status != 0) {
		return ways
	}
	if route.fails() {
		w.failures = append(w.failures, failure{scope: w.scope, order: w.order})
	}
	route, never := w.resolve(route)
	var inside, outside []state
	coarse := len(ways) > maxWays
	for _, way := range ways {
		if never || route.Group != "" && slices.Contains(way.groups, route.Group) {
			outside = append(outside, way)
			continue
		}
		if coarse && len(route.Match) > 0 {
			w.Coarse = true
			outside = append(outside, way)
			if !route.guards() {
				inside = append(inside, way)
			}
			continue
		}
		matched, rest := way.split(route)
		inside = append(inside, matched...)
		outside = append(outside, rest...)
	}
	w.noteMissed(route, outside)
	defer w.enter(route, ways)()
	for _, handler := range route.Handle {
		inside = w.handle(handler, route, inside)
	}
	if route.Terminal {
		for _, end := range inside {
			w.finish(end)
		}
		return outside
	}
	return append(inside, outside...)
}

// noteMissed remembers which gates were missed by ways whose path is not the
// one that the client sent.
func (w *walker) noteMissed(route Route, outside []state) {
	gates := w.gatesIn(route)
	for i := range outside {
		if !outside[i].view.MovedPath() {
			continue
		}
		for _, gate := range gates {
			outside[i].missed = append(slices.Clip(outside[i].missed), MissedGate{Gate: gate, Match: route.Match})
		}
	}
}

// gatesIn returns the gates that are handlers of the route itself.
func (w *walker) gatesIn(route Route) (gates []Gate) {
	for _, handler := range route.Handle {
		if handler.Kind() == Guards {
			gates = append(gates, w.config.gate(handler))
		}
	}
	return gates
}

// enter narrows the scope to what a route matches, until the returned function
// is called.
func (w *walker) enter(route Route, ways []state) (leave func()) {
	scope, view := w.scope, w.view
	if len(ways) > 0 {
		w.view = ways[len(ways)-1].view
	}
	if len(route.Match) == 1 {
		if sent, ok := w.view.translate(route.Match[0]); ok {
			if narrowed, ok := w.scope.And(sent); ok {
				w.scope = narrowed
			}
		}
	}
	return func() { w.scope, w.view = scope, view }
}

// split divides a way by what a route matches.
func (s state) split(route Route) (matched, rest []state) {
	var sent Matcher
	for _, region := range orAll(route.Match) {
		if region, ok := s.view.translate(region); ok {
			sent = append(sent, region)
			s = s.afterFile(region.Other)
		}
	}
	if len(sent) == 0 {
		return nil, []state{s}
	}
	in, out := sent.split(s.region)
	for _, region := range in {
		way := s
		way.region = region
		if route.Group != "" {
			way.groups = append(slices.Clip(s.groups), route.Group)
		}
		matched = append(matched, way)
	}
	for _, region := range out {
		way := s
		way.region = region
		rest = append(rest, way)
	}
	return matched, rest
}

// handle takes ways through one handler.
func (w *walker) handle(h Handler, route Route, ways []state) []state {
	if w.order++; w.order > maxOrder {
		w.Coarse = true
		return ways
	}
	w.noteEarly(h, ways)
	switch h.Name {
	case "subroute":
		return w.subroute(h, ways)
	case "invoke":
		return w.invoke(h, ways)
	case "rewrite":
		return w.rewrite(h, ways)
	case "intercept":
		if w.status != 0 { // it may take any answer of the routes behind it
			w.responses(h, ways)
			return ways
		}
		return w.surround(ways, Substitute{Handler: h, Responses: h.Responses})
	case "vars", "map", "templates":
		return w.remember(h, ways)
	case "auth_cors":
		w.CORS = append(w.CORS, PlacedHandler{Handler: h, Scope: w.scope})
	}
	switch kind := h.Kind(); kind {
	case Passes:
		return noteUnknown(h, ways)
	case Guards:
		return w.guard(h, route, ways)
	default:
		for _, way := range ways {
			w.answer(h, kind, way)
		}
		w.responses(h, ways)
		switch {
		case !h.goesOn():
			return nil
		case kind == Publishes:
			return noteRest(ways)
		}
		return ways
	}
}

// noteRest notes what a handler that publishes leaves for others.
func noteRest(ways []state) []state {
	noted := slices.Clone(ways)
	for i := range noted {
		noted[i].rest = true
	}
	return noted
}

func noteUnknown(h Handler, ways []state) []state {
	if h.Known() {
		return ways
	}
	noted := slices.Clone(ways)
	for i := range noted {
		noted[i].last = h
		noted[i].unknown = append(slices.Clip(noted[i].unknown), h.Name)
	}
	return noted
}

func (w *walker) guard(h Handler, route Route, ways []state) []state {
	gate := w.config.gate(h)
	placed := PlacedGate{Gate: gate, Match: route.Match, Scope: w.scope, View: w.view, Order: w.order}
	placed.addSubstitutes(ways)
	if w.Coarse {
		placed.addSubstitutes([]state{{substitutes: w.substitutes}}) // not all ways were followed
	}
	w.Gates = append(w.Gates, placed)
	guarded := slices.Clone(ways)
	for i := range guarded {
		guarded[i].gates = append(slices.Clip(guarded[i].gates), gate)
	}
	return guarded
}

func (w *walker) rewrite(h Handler, ways []state) []state {
	change, ok := h.rewriting()
	if !ok {
		return ways
	}
	var after []state
	for _, way := range ways {
		parts := []state{way}
		if change.StripPathPrefix != "" && change.URI == "" {
			var rest []state
			prefix := Paths("/" + strings.TrimPrefix(change.StripPathPrefix, "/") + "*")
			parts, rest = way.split(Route{Match: Matcher{{Set: prefix}}})
			after = append(after, rest...)
		}
		for _, part := range parts {
			own := w.status != 0 && part.afterRewrite(change)
			part.view = part.view.after(change)
			part.view.Own = own
			after = append(after, part)
		}
	}
	return after
}

func (w *walker) invoke(h Handler, ways []state) []state {
	var config struct {
		Name string `json:"name"`
	}
	if json.Unmarshal(h.Config, &config) != nil || w.invoked > maxInvokes {
		return ways
	}
	named, ok := w.server.Named[config.Name]
	if !ok {
		return ways
	}
	w.invoked++
	defer func() { w.invoked-- }()
	return w.route(named, ways)
}

func (w *walker) answer(h Handler, kind Kind, s state) {
	if change, ok := h.rewriting(); ok {
		own := w.status != 0 && s.afterRewrite(change)
		s.view = s.view.after(change)
		s.view.Own = own
	}
	if w.status != 0 && (kind != Answers || !s.leaks(h)) {
		return
	}
	w.Rows = append(w.Rows, Row{
		Region: s.region, Gates: s.gates, Handler: h, Kind: kind, View: s.view, Order: w.order,
		Unknown: s.unknown, Missed: s.missed, Rest: s.rest,
	})
}
