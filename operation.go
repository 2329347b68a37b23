package requireauth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/pathtemplate"
	"github.com/excorp/caddy-require-auth/openapi"
)

// operations is an OpenAPI document as requests use it.
type operations struct {
	tree *pathtemplate.Tree[*operation]
	// undeclared decides about requests for no operation.
	undeclared *operation
	// rules are the parts of all that operations require, such as scope.
	rules []string
	// scopes are those that any operation requires.
	scopes []string
}

// operation is an operation of a document. Operations with the same security share
// what they require.
type operation struct {
	name string
	*access
}

// access is what an operation requires.
type access struct {
	// public operations pass every request, and do not verify credentials. Anonymous
	// operations pass a request without a credential.
	public, anonymous bool
	// ways are the alternatives.
	ways []way
	// schemes are those of all ways, single those of the ways with one credential.
	schemes []*namedScheme
	groups  []*schemeGroup
	single  part
	// combines says that a way has several credentials.
	combines bool
	// required is what a caller who is unauthenticated is told.
	required *authz.Requirement
}

// way is one of the alternatives: all of its parts. Without parts it requires what the
// gate requires itself.
type way struct {
	parts    []part
	required *authz.Requirement // of the caller of the first part
}

// part is a credential of a way: the schemes of which one must accept it, and what it
// must grant. The first part also has what the gate requires itself.
type part struct {
	schemes  []*namedScheme
	groups   []*schemeGroup
	required *authz.Requirement
}

// verifiedCredential is a credential that a scheme accepted.
type verifiedCredential struct {
	scheme     *namedScheme
	credential authn.Credential
	outcome    authn.Outcome
	required   *authz.Requirement
}

var (
	errUndeclared  = errors.New("operation not found in the OpenAPI document")
	errAmbiguous   = fmt.Errorf("%w: servers could read the request in different ways, for which the document requires different things", errUndeclared)
	errNoDocument  = errors.New("the OpenAPI document has not been fetched yet")
	errNotCombined = errors.New("the operation needs a combination of credentials, and not all of one are there")
)

// checkOpenAPI reports what is wrong with a gate that goes by a document.
func (g *RequireAuth) checkOpenAPI() error {
	switch {
	case g.OpenAPI == nil:
		return nil
	case g.Optional:
		return errors.New("openapi: the document says which operations need no credential: remove the line optional")
	case g.MCP != nil:
		return errors.New("openapi: an MCP server has no such document: write openapi or mcp, not both")
	}
	return g.OpenAPI.Check()
}

// rules returns the parts of what the gate requires, of its operations too.
func (g *RequireAuth) rules() []string {
	if loaded := g.operations.Load(); loaded != nil {
		return loaded.rules
	}
	return g.Requirement.Rules()
}

// allSchemes returns the schemes that the gate accepts.
func (g *RequireAuth) allSchemes() []*namedScheme {
	all := make([]*namedScheme, len(g.schemes))
	for i := range g.schemes {
		all[i] = &g.schemes[i]
	}
	return all
}

// acceptedFor returns the schemes that count for a decision.
func (g *RequireAuth) acceptedFor(d *decision) []*namedScheme {
	if d.accepts != nil {
		return d.accepts
	}
	return g.allSchemes()
}

// authenticateOperation authenticates the caller of an operation by the schemes that
// the document has for it. A request for no operation needs any scheme of the gate, so
// an unauthenticated client does not learn the operations.
func (g *RequireAuth) authenticateOperation(state *requestState, r *http.Request, d *decision) {
	loaded := g.operations.Load()
	if loaded == nil {
		d.deny(authn.CodeUnavailable, errNoDocument)
		return
	}
	op, err := loaded.find(r)
	_ = state.request.Trace.NoteFound("operation", err, func() string { return op.name })
	if !errors.Is(err, errAmbiguous) && g.OpenAPI.Undeclared == openapi.UndeclaredAllow {
		err = nil
	}
	d.operation, d.accepts, d.required, d.undeclared = op.name, op.schemes, op.required, err
	if op.public {
		d.Allowed, d.public = true, true
		if found, err := candidatesIn(state, g.groups); err == nil && len(found) > 0 {
			d.credential = found[0].credential // stripped, and never verified
		}
		return
	}
	parts, some, err := op.partsFor(state)
	switch {
	case err != nil:
		d.deny(authn.CodeInvalidRequest, err)
		return
	case len(parts) > 0: // authenticates by them
	case some:
		d.deny(authn.CodeMissing, errNotCombined)
		return
	case op.anonymous:
		d.Allowed = true
		return
	default:
		d.deny(authn.CodeMissing, noCredentials(&state.request))
		return
	}
	var all []verifiedCredential
	for _, part := range parts {
		candidates, err := candidatesIn(state, part.groups)
		one := *d
		g.authenticateBy(state, r, candidates, err, &one)
		if one.outcome.Verdict != authn.Accepted {
			*d = one
			return
		}
		all = append(all, verifiedCredential{scheme: one.scheme, credential: one.credential, outcome: one.outcome})
	}
	op.settle(d, all)
}

// find returns the operation of a request. Without one it returns the operation of
// undeclared requests, with an error.
func (o *operations) find(r *http.Request) (*operation, error) {
	found, result := o.tree.Lookup(r, func(a, b *operation) bool { return a.access == b.access })
	switch result {
	case pathtemplate.Found:
		return found, nil
	case pathtemplate.Missing:
		return o.undeclared, errUndeclared
	default:
		return o.undeclared, errAmbiguous
	}
}

// partsFor returns by what a request authenticates: the first way of which it has all
// credentials, and that leaves none over. It returns nothing if there is no such way,
// and says whether there are some credentials.
func (a *access) partsFor(state *requestState) (parts []part, some bool, err error) {
	if !a.combines && !a.anonymous {
		return []part{a.single}, true, nil
	}
	if _, err := state.request.Authorization(); err != nil {
		return nil, false, err
	}
	var found []authn.Credential
	for _, group := range a.groups {
		credential, err := group.members[0].Find(&state.request)
		if err != nil {
			return nil, false, err
		}
		if credential.Found() && credential.Location.Kind != authn.InTLS && !slices.ContainsFunc(found, sameValue(credential)) {
			found = append(found, credential)
		}
	}
	for _, way := range a.ways {
		uses := way.credentials(state)
		unused := slices.ContainsFunc(found, func(c authn.Credential) bool { return !slices.ContainsFunc(uses, sameValue(c)) })
		switch {
		case len(uses) == 0 || unused:
		case len(way.parts) == 1:
			return []part{a.single}, true, nil // others may accept the same credential
		default:
			return way.parts, true, nil
		}
	}
	switch {
	case len(found) > 1:
		return nil, true, authn.MultipleCredentials(found[0].Location, found[1].Location)
	case len(found) == 1 && !a.anonymous && slices.ContainsFunc(a.ways, func(w way) bool { return len(w.parts) == 0 }):
		return []part{a.single}, true, nil
	}
	return nil, len(found) > 0, nil
}

// sameValue reports whether a credential is the same one, which may be in two
// locations.
func sameValue(one authn.Credential) func(authn.Credential) bool {
	return func(other authn.Credential) bool { return one.Value == other.Value }
}

// credentials returns the credentials of a way; nothing if one is missing.
func (w way) credentials(state *requestState) (all []authn.Credential) {
	for _, part := range w.parts {
		before := len(all)
		for _, group := range part.groups {
			if credential, err := group.members[0].Find(&state.request); err == nil && credential.Found() {
				all = append(all, credential)
			}
		}
		if len(all) == before {
			return nil
		}
	}
	return all
}

// settle decides which way the verified credentials go: the first that they cover, or
// else the first whose credentials they are.
func (a *access) settle(d *decision, all []verifiedCredential) {
	var chosen []verifiedCredential
	for _, way := range a.ways {
		fitting, covers := way.fit(all)
		if fitting == nil || chosen != nil && !covers {
			continue
		}
		chosen, d.required = fitting, way.required
		if covers {
			break
		}
	}
	d.scheme, d.credential, d.outcome, d.further = chosen[0].scheme, chosen[0].credential, chosen[0].outcome, chosen[1:]
}

// fit returns the verified credentials in the order of the way, with what each must
// grant, and whether they grant it. It returns nil if the way needs others. The
// credentials that the way does not need come last.
func (w way) fit(all []verifiedCredential) (fitting []verifiedCredential, covers bool) {
	if len(all) == 1 && len(w.parts) == 1 { // nearly always
		if !slices.Contains(w.parts[0].schemes, all[0].scheme) {
			return nil, false
		}
		return all, w.parts[0].required.Covers(all[0].outcome.Identity)
	}
	rest := slices.Clone(all)
	covers = true
	for _, part := range w.parts {
		i := slices.IndexFunc(rest, func(v verifiedCredential) bool { return slices.Contains(part.schemes, v.scheme) })
		if i < 0 {
			return nil, false
		}
		one := rest[i]
		one.required = part.required
		covers = covers && part.required.Covers(one.outcome.Identity)
		fitting, rest = append(fitting, one), slices.Delete(rest, i, i+1)
	}
	if len(w.parts) == 0 {
		covers = w.required.Covers(all[0].outcome.Identity)
	}
	return append(fitting, rest...), covers
}

// authorizeFurther checks the other credentials of a combination.
func (g *RequireAuth) authorizeFurther(state *requestState, r *http.Request, d *decision) {
	for _, one := range d.further {
		if !d.Allowed {
			break
		}
		if err := g.checkOrigin(state, r, one.credential); err != nil {
			d.deny(authn.CodeAccessDenied, err)
			return
		}
		if one.required == nil {
			continue
		}
		if d.Decision = one.required.Decide(r, one.outcome.Identity); !d.Allowed {
			d.required = one.required
		}
	}
}
