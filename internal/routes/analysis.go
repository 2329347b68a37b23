package routes

import "slices"

// Row is one way through the routes: these requests pass these gates and are
// answered by this handler.
type Row struct {
	Region
	Gates   []Gate
	Handler Handler
	Kind    Kind
	// View is how the path that the handler sees has come about.
	View View
	// Order counts the handlers in the order in which a request meets them.
	Order int
	// Unknown are handlers on the way of which it is not known what they do.
	Unknown []string
	// Missed are gates that did not match after the path was changed.
	Missed []MissedGate
	// Rest means that a handler that publishes was asked first: that of a protected
	// resource, or of keys. It answers its own paths among these.
	Rest bool
}

// MissedGate is a gate that a request came past.
type MissedGate struct {
	Gate
	// Match is what it matches, in terms of the path as the gate sees it.
	Match Matcher
}

// PlacedHandler is a handler in its place that is of interest besides gates.
type PlacedHandler struct {
	Handler
	Scope Region
}

// Open reports whether content is reached without a credential.
func (r Row) Open() bool {
	return r.Kind == Answers && !slices.ContainsFunc(r.Gates, func(g Gate) bool { return !g.Optional && !g.ReportOnly })
}

// PlacedGate is a gate in its place.
type PlacedGate struct {
	Gate
	// Match is what the route of the gate matches, in terms of the path as the
	// gate sees it.
	Match Matcher
	// Scope are the requests for which its route is come to, whatever earlier
	// handlers do.
	Scope Region
	View  View
	Order int
	// Substitutes are the handlers that may answer in its place when it denies.
	Substitutes []Substitute
	// foreignRoot says that clients choose the root of file servers there.
	foreignRoot bool
}

// Meets reports whether a row has requests that the gate guards, if they come to it.
func (p PlacedGate) Meets(row Row) bool {
	shared, ok := row.Region.And(p.Scope)
	return ok && p.Match.Meets(shared, p.View)
}

// Analysis is what became of the requests to a server.
type Analysis struct {
	Rows  []Row
	Gates []PlacedGate
	// CORS are the handlers that say whose scripts may read.
	CORS []PlacedHandler
	// Early are the handlers that use what is known of a caller, and the gates
	// come behind them.
	Early []PlacedHandler
	// Coarse says that there are too many ways to follow them all: then some
	// rows have fewer gates than they really have, and never more.
	Coarse bool

	failures []failure
}

// failure is a matcher that fails for some requests, so that error routes answer.
type failure struct {
	scope Region
	order int // of the last handler before it
}

// Meets reports whether a region has requests of a scope that a matcher, which
// sees the path in a view, matches.
func (m Matcher) Meets(r Region, view View) bool {
	for _, region := range orAll(m) {
		if sent, ok := view.translate(region); ok {
			if _, some := r.And(sent); some {
				return true
			}
		}
	}
	return false
}

// Part returns the requests of a region that a gate sees as those of a set; ok is false
// if there are surely none.
func (r Region) Part(seen Set, view View) (part Region, ok bool) {
	sent, ok := view.translate(Region{Set: seen})
	if !ok {
		return Region{}, false
	}
	return r.And(sent)
}
