package requireauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/responsewriter"
)

// allow prepares a request that goes on and returns the writer for its answer; nil if
// the answer needs no change.
func (g *RequireAuth) allow(w http.ResponseWriter, r *http.Request, state *requestState, d *decision) *responsewriter.Writer {
	if d.outcome.Identity != nil {
		state.admit(d)
		g.forward.setOn(r, state)
		if len(g.forward.signed) > 0 {
			g.setSigned(r, state)
		}
	}
	if g.MCP != nil && g.MCP.IsBodiless(r) {
		dropBody(r)
	}
	directive := "private"
	if d.outcome.Nonce != "" {
		w.Header().Set(nonceHeader, d.outcome.Nonce)
		directive = "no-store" // a nonce is for one client, RFC 9449 §8.2
	}
	var vary []string
	for scheme, credential := range d.credentials() {
		ofToken := credential.Location == authn.AuthorizationField && !scheme.takesSecrets()
		if !ofToken || directive != "private" { // shared caches know this case, RFC 9111 §3.5
			vary = append(vary, credential.Location.VaryField())
		}
	}
	if len(vary) == 0 {
		return nil
	}
	return responsewriter.New(w, func(header http.Header) {
		for _, field := range vary {
			restrict(header, directive, field)
		}
	})
}

// stripCredential removes credentials before others read the request: the upstream,
// or the server of the error pages. A denied request may have several credentials, or
// malformed ones, so the gate removes all that any scheme could find.
func (g *RequireAuth) stripCredential(state *requestState, d *decision) {
	state.removeRestored()
	for _, credential := range d.credentials() {
		remove := func(location authn.Location) {
			if g.StripCredentials || neverForwarded(location, credential) {
				state.removeCredential(location)
			}
		}
		copies := g.copiesOf(&state.request, credential)
		remove(credential.Location)
		for _, location := range copies {
			remove(location)
		}
	}
	if g.StripCredentials && (!d.Allowed || d.public) {
		for _, location := range g.app.credentialLocations(&state.request) {
			state.removeCredential(location)
		}
	}
}

// copiesOf returns the other locations of the gate that hold the same credential.
func (g *RequireAuth) copiesOf(r *authn.Request, credential authn.Credential) []authn.Location {
	var all []authn.Location
	for _, location := range g.locations {
		if location != credential.Location && location.Holds(r, credential.Value) {
			all = append(all, location)
		}
	}
	return all
}

// neverForwarded reports whether an upstream must not see a token: URLs are logged
// (RFC 6750 §2.3), and a subprotocol would be chosen and sent back. An API key in a query
// alone has no scheme.
func neverForwarded(location authn.Location, credential authn.Credential) bool {
	return location.Kind == authn.InQuery && credential.Scheme != "" || location.Kind == authn.InWebSocket
}

// restrict keeps an answer from shared caches, or from all caches, unless it is already
// as strict, and adds Vary. RFC 9111 §3.5 protects answers to the Authorization field,
// but not to credentials in other locations.
func restrict(h http.Header, directive, vary string) {
	directives := membersOf(h["Cache-Control"])
	strict := slices.ContainsFunc(directives, func(d string) bool {
		return strings.EqualFold(d, "no-store") || strings.EqualFold(d, directive)
	})
	if !strict {
		directives = slices.DeleteFunc(directives, func(d string) bool {
			name, _, _ := strings.Cut(d, "=")
			return slices.Contains(shared, strings.ToLower(name))
		})
		h.Set("Cache-Control", strings.Join(append(directives, directive), ", "))
	}
	for _, field := range membersOf(h["Vary"]) {
		if field == "*" || strings.EqualFold(field, vary) {
			return
		}
	}
	if vary != "" {
		h.Add("Vary", vary)
	}
}

// shared are the directives that are about shared caches, or weaker than what
// takes their place.
var shared = []string{"public", "private", "s-maxage", "proxy-revalidate"}

// membersOf splits list fields into their members; a comma between quotes
// separates nothing.
func membersOf(fields []string) []string {
	var all []string
	for _, field := range fields {
		quoted, start := false, 0
		for i := 0; i <= len(field); i++ {
			switch {
			case i == len(field) || field[i] == ',' && !quoted:
				if member := strings.TrimSpace(field[start:i]); member != "" {
					all = append(all, member)
				}
				start = i + 1
			case field[i] == '"':
				quoted = !quoted
			case field[i] == '\\' && quoted:
				i++
			}
		}
	}
	return all
}
