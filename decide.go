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

// ruling is what a gate decides about a request.
type ruling struct {
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
func (r ruling) tooLarge() bool {
	return r.Code == authn.CodeInvalidRequest && errors.Is(r.Reason, authn.ErrTooLarge)
}

// status is the HTTP status of a denial, unless it is hidden.
func (r ruling) status() int { return denial.Denial{Code: r.Code, TooLarge: r.tooLarge()}.Status() }

// decide is the walk of a request: a credential out of the request, an outcome
// out of the credential, a decision out of the outcome. Every way out of it
// that is not the last one denies, apart from an anonymous caller where that
// is allowed.
func (g *RequireAuth) decide(visit *visit, r *http.Request) (made ruling) {
	defer recoverTo(&made)
	if !g.allowsOrigin(r) {
		return refuse(made, authn.CodeAccessDenied, foreignOrigin(r, "the request comes from a page of another origin"))
	}
	operation, problem := g.MCP.Required(r)
	required := g.Requirement.With(operation)
	candidates, err := g.find(visit)
	if err != nil {
		return refuse(ruling{required: required}, authn.CodeInvalidRequest, err)
	}
	if len(candidates) == 0 {
		if g.Optional && len(operation) == 0 && problem == nil {
			return ruling{Decision: authz.Decision{Allowed: true}}
		}
		return refuse(ruling{required: required}, authn.CodeMissing, noCredentials(&visit.request))
	}
	if isEarly(r) {
		return refuse(ruling{required: required}, authn.CodeTooEarly, errEarly)
	}
	made = g.verify(visit, r, candidates)
	made.required = required
	if made.outcome.Verdict != authn.Accepted {
		return refuse(made, made.outcome.Code, made.outcome.Reason)
	}
	if err := g.checkOrigin(visit, r, made.credential); err != nil {
		return refuse(made, authn.CodeAccessDenied, err)
	}
	if problem != nil {
		return refuse(made, authn.CodeInvalidRequest, problem)
	}
	if g.If != "" {
		g.forward.names.removeFrom(r, visit.forwarded) // a condition must not believe what a client says of itself
	}
	defer visit.consider(made.outcome.Identity)()
	made.Decision = required.Decide(r, made.outcome.Identity)
	if visit.request.Trace != nil {
		required.Explain(r, made.outcome.Identity, visit.request.Trace)
	}
	return made
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

func refuse(made ruling, code authn.Code, reason error) ruling {
	made.Decision = authz.Decision{Code: code, Reason: reason}
	return made
}

// recoverTo denies after a panic in a scheme or a condition, which other
// plugins may have written. What it panicked with may hold anything, so only a
// runtime error is repeated in the log.
func recoverTo(made *ruling) {
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
	*made = refuse(ruling{}, authn.CodeInternal, reason)
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
func (g *RequireAuth) find(visit *visit) ([]candidate, error) {
	if _, err := visit.request.Authorization(); err != nil {
		return nil, err
	}
	found := visit.roomFound[:0]
	var ofConnection []candidate
	for _, family := range g.families {
		credential, err := family.members[0].Find(&visit.request)
		if err != nil {
			return nil, err
		}
		switch {
		case !credential.Found():
			continue
		case len(credential.Value) > authn.MaxCredential:
			return nil, authn.ErrTooLarge
		case credential.Place.In == authn.InTLS:
			ofConnection = append(ofConnection, candidate{scheme: family.members[0], credential: credential})
			continue
		}
		if len(found) > 0 && found[0].credential.Place != credential.Place {
			return nil, authn.ErrSeveralPlaces
		}
		for _, judge := range family.judges(credential) {
			found = append(found, candidate{scheme: judge, credential: credential})
		}
	}
	if len(found) == 0 {
		return ofConnection, nil
	}
	return found, nil
}

// ask asks the schemes in turn until one claims the credential.
func ask(visit *visit, candidates []candidate) ruling {
	var made ruling
	for i, candidate := range candidates {
		outcome := visit.verify(candidate)
		if outcome.Verdict != authn.Foreign || i == 0 {
			made = ruling{scheme: candidate.scheme, credential: candidate.credential, outcome: outcome}
		}
		if outcome.Verdict != authn.Foreign {
			break
		}
	}
	if made.outcome.Verdict == authn.Accepted && made.outcome.Identity == nil {
		// A scheme that breaks its contract must not open the door.
		made.outcome = authn.Reject(authn.CodeInvalidCredentials, errors.New("the scheme accepted nobody"))
	}
	return made
}

// unasked names what browsers send by themselves.
var unasked = map[authn.In]string{authn.InCookie: "cookie", authn.InTLS: "certificate", authn.InHeader: "kept password"}

// scriptless are the modes of requests in which no script can have set the field
// Authorization (Fetch §2.2.5), so that it holds what the browser has kept.
var scriptless = []string{"navigate", "no-cors", "websocket"}

// sentUnasked reports whether a browser may have added a credential by itself.
func sentUnasked(r *http.Request, place authn.Place) bool {
	return place.SentUnasked() || place == authn.AuthorizationField && slices.Contains(scriptless, r.Header.Get("Sec-Fetch-Mode"))
}

// checkOrigin refuses what another site made a browser do: a browser adds
// cookies, certificates and passwords that somebody has typed once by itself,
// also to a form that another site sends (RFC 6750 §5.3).
// It goes for methods that change something and for WebSockets, which are not
// bound to one origin. A site that `auth_cors` trusts by name may.
func (g *RequireAuth) checkOrigin(visit *visit, r *http.Request, credential authn.Credential) error {
	if !sentUnasked(r, credential.Place) || cors.TrustedOrigin(r) {
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
		err = crossSiteError{foreignOrigin(r, fmt.Sprintf("a %s came with a request from another site", unasked[credential.Place.In]))}
	}
	return visit.request.Trace.Note("origin", err)
}

// crossSiteError refuses a request that another site made a browser send.
type crossSiteError struct{ *authn.MismatchError }

// Unwrap returns what the record of the denial shows.
func (e crossSiteError) Unwrap() error { return e.MismatchError }

// foreignOrigin is a reason with the origin that the browser named.
func foreignOrigin(r *http.Request, reason string) *authn.MismatchError {
	found := "Origin " + authn.Shown(r.Header.Get("Origin"))
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		found += ", Sec-Fetch-Site " + authn.Shown(site)
	}
	return &authn.MismatchError{Reason: reason, Found: found}
}
