package requireauth

import (
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/cors"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

// decision is what a gate decides about a request.
type decision struct {
	authz.Decision

	// scheme and credential are what the caller was judged by; without a
	// credential both are empty.
	scheme     *namedScheme
	credential authn.Credential
	outcome    authn.Outcome

	// required is what this request needs: the requirement of the gate, and
	// what the operation of an MCP request adds.
	required *authz.Requirement
}

// tooLarge reports whether the credential is over the bound.
func (r decision) tooLarge() bool {
	return r.Code == authn.CodeInvalidRequest && errors.Is(r.Reason, authn.ErrTooLarge)
}

// status is the HTTP status of a denial, unless it is hidden.
func (r decision) status() int { return denial.Denial{Code: r.Code, TooLarge: r.tooLarge()}.Status() }

// decide is the walk of a request: a credential out of the request, an outcome
// out of the credential, a decision out of the outcome. Every way out of it
// that is not the last one denies, apart from an anonymous caller where that
// is allowed.
func (g *RequireAuth) decide(state *requestState, r *http.Request) (d decision) {
	defer recoverTo(&d)
	if !g.allowsOrigin(r) {
		return refuse(d, authn.CodeAccessDenied, foreignOrigin(r, "the request comes from a page of another origin"))
	}
	operation, problem := g.MCP.Required(r)
	required := g.Requirement.With(operation)
	candidates, err := g.find(state)
	if err != nil {
		return refuse(decision{required: required}, authn.CodeInvalidRequest, err)
	}
	if len(candidates) == 0 {
		if g.Optional && len(operation) == 0 && problem == nil {
			return decision{Decision: authz.Decision{Allowed: true}}
		}
		return refuse(decision{required: required}, authn.CodeMissing, noCredentials(&state.request))
	}
	if isEarly(r) {
		return refuse(decision{required: required}, authn.CodeTooEarly, errEarly)
	}
	d = g.verify(state, r, candidates)
	d.required = required
	if d.outcome.Verdict != authn.Accepted {
		return refuse(d, d.outcome.Code, d.outcome.Reason)
	}
	if err := g.checkOrigin(state, r, d.credential); err != nil {
		return refuse(d, authn.CodeAccessDenied, err)
	}
	if problem != nil {
		return refuse(d, authn.CodeInvalidRequest, problem)
	}
	if g.If != "" {
		g.forward.names.removeFrom(r, state.forwarded) // a condition must not believe what a client says of itself
	}
	defer state.consider(d.outcome.Identity)()
	d.Decision = required.Decide(r, d.outcome.Identity)
	if state.request.Trace != nil {
		required.Explain(r, d.outcome.Identity, state.request.Trace)
	}
	return d
}

var (
	errNoCredentials = errors.New("no credentials of an accepted scheme")
	errEarly         = errors.New("the credential came in early data, which may be a copy")
)

// noCredentials is why no scheme found a credential, with what Authorization has
// instead of one.
func noCredentials(r *authn.Request) error {
	if r.Header.Get("Authorization") == "" {
		return errNoCredentials
	}
	authorization, _ := r.Authorization() // an error has refused the request before
	found := "Authorization with something else than the name of a scheme first"
	switch {
	case authorization.Value == "":
		found = "Authorization with one word: a scheme such as Bearer, a space and a credential are needed"
	case authn.IsScheme(authorization.Scheme):
		found = "Authorization with the scheme " + authorization.Scheme
	}
	return &authn.MismatchError{Reason: errNoCredentials.Error(), Found: found}
}

// isEarly reports whether a request came before the handshake of its connection
// was complete (RFC 8470 §3). Who sent it may have it from somebody else, and may
// have sent it in the name of any address: it must neither open a gate twice nor
// count as a guess of whoever has that address.
func isEarly(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }

// allowsOrigin keeps browsers of other sites away from an MCP server.
func (g *RequireAuth) allowsOrigin(r *http.Request) bool {
	if g.MCP == nil || cors.TrustedOrigin(r) {
		return true
	}
	own := ""
	if g.Resource != nil {
		own = g.Resource.Origin()
	}
	return g.MCP.AllowsOrigin(r, own)
}

func refuse(d decision, code authn.Code, reason error) decision {
	d.Decision = authz.Decision{Code: code, Reason: reason}
	return d
}

// recoverTo denies after a panic in a scheme or a condition, which other
// plugins may have written. What it panicked with may hold anything, so only a
// runtime error is repeated in the log.
func recoverTo(d *decision) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // it is panicked with as it is
		panic(cause)
	}
	reason := fmt.Errorf("panic with a %T", cause)
	if fault, ok := cause.(runtime.Error); ok {
		reason = fmt.Errorf("panic: %w", fault)
	}
	*d = refuse(decision{}, authn.CodeInternal, reason)
}

// candidate is a scheme of the gate and what it found.
type candidate struct {
	scheme     *namedScheme
	credential authn.Credential
}

// find collects what the schemes of the gate found. Schemes that look at the
// same place find the same credential; two different ones make the request
// ambiguous, because the upstream could go by the other. A client certificate
// is not counted among them: it belongs to the connection, so it speaks only
// where nothing else does.
func (g *RequireAuth) find(state *requestState) ([]candidate, error) {
	if _, err := state.request.Authorization(); err != nil {
		return nil, err
	}
	found := state.roomFound[:0]
	var ofConnection []candidate
	for _, group := range g.groups {
		credential, err := group.members[0].Find(&state.request)
		if err != nil {
			return nil, err
		}
		switch {
		case !credential.Found():
			continue
		case len(credential.Value) > authn.MaxCredential:
			return nil, authn.ErrTooLarge
		case credential.Location.Kind == authn.InTLS:
			ofConnection = append(ofConnection, candidate{scheme: group.members[0], credential: credential})
			continue
		}
		if len(found) > 0 && found[0].credential.Location != credential.Location {
			return nil, authn.ErrMultipleCredentials
		}
		for _, scheme := range group.candidatesFor(credential) {
			found = append(found, candidate{scheme: scheme, credential: credential})
		}
	}
	if len(found) == 0 {
		return ofConnection, nil
	}
	return found, nil
}

// ask asks the schemes in turn until one claims the credential.
func verifyAny(state *requestState, candidates []candidate) decision {
	var d decision
	for i, candidate := range candidates {
		outcome := state.verify(candidate)
		if outcome.Verdict != authn.NotApplicable || i == 0 {
			d = decision{scheme: candidate.scheme, credential: candidate.credential, outcome: outcome}
		}
		if outcome.Verdict != authn.NotApplicable {
			break
		}
	}
	if d.outcome.Verdict == authn.Accepted && d.outcome.Identity == nil {
		// A scheme that breaks its contract must not open the door.
		d.outcome = authn.Reject(authn.CodeInvalidCredentials, errors.New("the scheme accepted nobody"))
	}
	return d
}

// sentByBrowser names what browsers send by themselves.
var sentByBrowser = map[authn.LocationKind]string{authn.InCookie: "cookie", authn.InTLS: "certificate", authn.InHeader: "kept password"}

// scriptless are the modes of requests in which no script can have set the field
// Authorization (Fetch §2.2.5), so that it holds what the browser has kept.
var scriptless = []string{"navigate", "no-cors", "websocket"}

// isSentByBrowser reports whether a browser may have added a credential by itself.
func isSentByBrowser(r *http.Request, location authn.Location) bool {
	return location.SentByBrowser() || location == authn.AuthorizationField && slices.Contains(scriptless, r.Header.Get("Sec-Fetch-Mode"))
}

// checkOrigin refuses what another site made a browser do: a browser adds
// cookies, certificates and passwords that somebody has typed once by itself,
// also to a form that another site sends (RFC 6750 §5.3).
// It goes for methods that change something and for WebSockets, which are not
// bound to one origin. A site that `auth_cors` trusts by name may.
func (g *RequireAuth) checkOrigin(state *requestState, r *http.Request, credential authn.Credential) error {
	if !isSentByBrowser(r, credential.Location) || cors.TrustedOrigin(r) {
		return nil
	}
	checked := r
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		changing := *r
		changing.Method = http.MethodPost
		checked = &changing
	}
	err := g.csrf.Check(checked)
	if err != nil {
		err = crossSiteError{foreignOrigin(r, fmt.Sprintf("a %s came with a request from another site", sentByBrowser[credential.Location.Kind]))}
	}
	return state.request.Trace.Note("origin", err)
}

// crossSiteError refuses a request that another site made a browser send.
type crossSiteError struct{ *authn.MismatchError }

// Unwrap returns what the record of the denial shows.
func (e crossSiteError) Unwrap() error { return e.MismatchError }

// foreignOrigin is a reason with the origin that the browser named.
func foreignOrigin(r *http.Request, reason string) *authn.MismatchError {
	found := "Origin " + authn.Printable(r.Header.Get("Origin"))
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		found += ", Sec-Fetch-Site " + authn.Printable(site)
	}
	return &authn.MismatchError{Reason: reason, Found: found}
}
