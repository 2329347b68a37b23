package requireauth

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"runtime"
	"slices"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/bruteforce"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/denial"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
	"github.com/excorp/caddy-require-auth/mcp"
)

// decision is what a gate decides about a request.
type decision struct {
	authz.Decision

	// scheme and credential are what the decision depends on. Both are empty
	// without a credential.
	scheme     *namedScheme
	credential authn.Credential
	outcome    authn.Outcome

	// required is the requirement of the gate, plus what the operation of an MCP
	// request adds.
	required *authz.Requirement

	// lists says that the answer may list what the caller may not use.
	lists bool

	// malformed is why an MCP request is answered 400 after authentication.
	malformed error

	// These fields are for a gate with an OpenAPI document: the operation, its schemes,
	// and whether it is public. They also hold the other credentials of a combination, and
	// the reason of an undeclared request.
	operation  string
	accepts    []*namedScheme
	public     bool
	further    []verifiedCredential
	undeclared error
}

// decide takes a request from its credentials to a decision.
func (g *RequireAuth) decide(state *requestState, r *http.Request, d *decision) {
	g.authenticate(state, r, d)
	// The client's own identity fields go here: a credential may come in one of
	// them, and a condition must not believe them.
	g.forward.names.removeFrom(r, state.forwarded)
	if g.MCP != nil && (d.Allowed || d.outcome.Verdict == authn.Accepted) {
		d.lists = g.MCP.ResumesStream(r)
		if g.MCP.Inspects(r) && (state.explained == nil || r.ContentLength > 0) {
			g.inspect(state, r, d)
		}
		d.lists = d.lists && state.explained == nil // an explanation has no answer to filter
	}
	if d.outcome.Verdict == authn.Accepted {
		g.authorize(state, r, d)
	}
}

// inspect adds what the body of an MCP request requires. Only a caller who is let in
// so far has their body read.
func (g *RequireAuth) inspect(state *requestState, r *http.Request, d *decision) {
	defer recoverTo(d)
	operation, lists, err := g.MCP.Inspect(r, state.setReadDeadline)
	d.lists = lists
	d.required, d.malformed = g.Requirement.With(operation), err
	switch {
	case d.outcome.Verdict == authn.Accepted: // authorize goes on
	case err != nil:
		d.deny(authn.CodeInvalidRequest, err)
	case len(operation) > 0:
		d.deny(authn.CodeMissing, noCredentials(&state.request))
	}
}

// authenticate finds the credential and has a scheme verify it. It denies, apart from
// an anonymous caller of an optional gate, and an accepted one.
func (g *RequireAuth) authenticate(state *requestState, r *http.Request, d *decision) {
	defer recoverTo(d)
	if g.MCP != nil && !g.allowsOrigin(r) {
		d.deny(authn.CodeAccessDenied, foreignOrigin(r, "the request comes from a page of another origin"))
		return
	}
	if g.OpenAPI != nil {
		g.authenticateOperation(state, r, d)
		return
	}
	d.required = &g.Requirement
	if g.MCP != nil {
		operation, malformed := g.MCP.Required(r)
		d.required, d.malformed = g.Requirement.With(operation), malformed
	}
	candidates, err := candidatesIn(state, g.groups)
	if err == nil && len(candidates) == 0 && g.Optional && d.required == &g.Requirement && d.malformed == nil {
		*d = decision{Decision: authz.Decision{Allowed: true}}
		return
	}
	g.authenticateBy(state, r, candidates, err, d)
}

// authenticateBy has the candidates verify their credential. The error is why they
// cannot be found.
func (g *RequireAuth) authenticateBy(state *requestState, r *http.Request, candidates []candidate, err error, d *decision) {
	switch {
	case err != nil:
		d.deny(authn.CodeInvalidRequest, err)
		return
	case len(candidates) == 0:
		d.deny(authn.CodeMissing, noCredentials(&state.request))
		return
	case isEarly(r):
		d.deny(authn.CodeTooEarly, errEarly)
		return
	}
	d.scheme, d.credential = candidates[0].scheme, candidates[0].credential
	g.verify(state, r, candidates, d)
	if d.outcome.Verdict != authn.Accepted {
		d.deny(d.outcome.Code, d.outcome.Reason)
	}
}

// authorize checks what the gate requires of an authenticated caller.
func (g *RequireAuth) authorize(state *requestState, r *http.Request, d *decision) {
	defer recoverTo(d)
	err := g.checkOrigin(state, r, d.credential)
	switch {
	case err != nil:
		d.deny(authn.CodeAccessDenied, err)
		return
	case d.malformed != nil:
		d.deny(authn.CodeInvalidRequest, d.malformed)
		return
	case d.undeclared != nil:
		d.deny(authn.CodeAccessDenied, d.undeclared)
		return
	}
	state.considered = d.outcome.Identity
	defer func() { state.considered = nil }()
	d.Decision = d.required.Decide(r, d.outcome.Identity)
	if state.request.Trace != nil {
		d.required.Explain(r, d.outcome.Identity, state.request.Trace)
	}
	if len(d.further) > 0 {
		g.authorizeFurther(state, r, d)
	}
}

// deny makes the decision a denial.
func (d *decision) deny(code authn.Code, reason error) {
	d.Decision = authz.Decision{Code: code, Reason: reason}
}

// credentials yields the credentials of a decision, with their schemes. The credential of
// a public operation is not verified and has a nil scheme.
func (d *decision) credentials() iter.Seq2[*namedScheme, authn.Credential] {
	return func(yield func(*namedScheme, authn.Credential) bool) {
		if d.credential.Found() && !yield(d.scheme, d.credential) {
			return
		}
		for _, one := range d.further {
			if !yield(one.scheme, one.credential) {
				return
			}
		}
	}
}

// tooLarge reports whether the credential is over the bound.
func (d *decision) tooLarge() bool {
	return d.Code == authn.CodeInvalidRequest && errors.Is(d.Reason, authn.ErrTooLarge)
}

// status is the HTTP status of a denial, unless it is hidden.
func (d *decision) status() int {
	return denial.Denial{Code: d.Code, TooLarge: d.tooLarge(), BodyTooLarge: errors.Is(d.Reason, mcp.ErrBodyTooLarge)}.Status()
}

// recoverTo denies after a panic in a scheme or a condition. The value of the panic
// may hold a credential, so only a runtime error is logged as it is.
func recoverTo(d *decision) {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http panics with this value itself
		panic(cause)
	}
	reason := fmt.Errorf("panic with a %T", cause)
	if fault, ok := cause.(runtime.Error); ok {
		reason = fmt.Errorf("panic: %w", fault)
	}
	*d = decision{}
	d.deny(authn.CodeInternal, reason)
}

// candidate is a scheme of the gate and the credential that it found.
type candidate struct {
	scheme     *namedScheme
	credential authn.Credential
}

// candidatesIn returns the schemes that found a credential. Different
// credentials in two locations make the request ambiguous, because the upstream could
// use the other one. A client certificate belongs to the connection, so it counts only where
// nothing else was found.
func candidatesIn(state *requestState, groups []*schemeGroup) ([]candidate, error) {
	if _, err := state.request.Authorization(); err != nil {
		return nil, err
	}
	found := state.roomFound[:0]
	var ofConnection []candidate
	for _, group := range groups {
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
		if len(found) > 0 && found[0].credential.Location != credential.Location && found[0].credential.Value != credential.Value {
			return nil, authn.MultipleCredentials(found[0].credential.Location, credential.Location)
		}
		members := group.members
		if len(members) > 1 {
			members = group.candidatesFor(&state.request, credential)
		}
		for _, scheme := range members {
			found = append(found, candidate{scheme: scheme, credential: credential})
		}
	}
	if len(found) == 0 {
		return ofConnection, nil
	}
	return byForm(found), nil
}

// byForm returns the candidates that read the form of the credential, if there are
// any. So a token is no failed attempt of a scheme of keys in the same field.
func byForm(candidates []candidate) []candidate {
	if len(candidates) == 1 {
		return candidates
	}
	jws := capability.IsJWS(candidates[0].credential.Value)
	isOther := func(c candidate) bool {
		reader, ok := c.scheme.Scheme.(capability.FormReader)
		return ok && !reader.ReadsForm(jws)
	}
	if !slices.ContainsFunc(candidates, func(c candidate) bool { return !isOther(c) }) {
		return candidates
	}
	return slices.DeleteFunc(candidates, isOther)
}

// verify has the candidates verify the credential. A client with too many failed
// attempts is denied before that, where a scheme's credentials can be guessed.
func (g *RequireAuth) verify(state *requestState, r *http.Request, candidates []candidate, d *decision) {
	if g.app.guard == nil || !throttled(candidates) || state.isVerified(d.credential) ||
		state.request.Trace.Skip("attempts", "an explanation is not an attempt") {
		verifyAny(state, candidates, d)
		return
	}
	address := clientaddress.Of(r)
	attempt := bruteforce.Attempt{Address: address, Credential: d.credential.Value, Subject: func() bruteforce.Subject {
		return bruteforce.Subject{Client: clientaddress.Network(address), Account: accountOf(candidates)}
	}}
	verified := *d
	refusal, refused := g.app.guard.Allow(r.Context(), attempt, func() bruteforce.Result {
		verifyAny(state, candidates, &verified)
		return state.attemptResult(&verified)
	})
	if refused {
		d.outcome = refusal
		return
	}
	*d = verified
}

// verifyAny asks the candidates in turn until one accepts. Of several refusals the
// one that got furthest is kept (REALM-1).
func verifyAny(state *requestState, candidates []candidate, d *decision) {
	for i, candidate := range candidates {
		outcome := state.verify(candidate)
		if i == 0 || furthest(outcome, d.outcome) > 0 {
			d.scheme, d.outcome = candidate.scheme, outcome
		}
		if outcome.Verdict == authn.Accepted {
			return
		}
	}
}

// furthest compares outcomes by how much of the credential was found to be good. An
// outage comes before a refusal: the scheme that could not decide might accept. It would
// not accept a verified token that is expired or revoked, and the client needs a new one.
func furthest(a, b authn.Outcome) int {
	rank := func(outcome authn.Outcome) int {
		switch {
		case outcome.Verdict == authn.Accepted:
			return 4
		case outcome.Code == authn.CodeExpiredToken || outcome.Code == authn.CodeRevokedToken:
			return 3
		case outcome.Verdict == authn.TemporarilyUnavailable:
			return 2
		case outcome.Verdict == authn.Rejected:
			return 1
		default:
			return 0
		}
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Progress, b.Progress))
}

// throttled reports whether one of the candidates has credentials that can be guessed.
func throttled(candidates []candidate) bool {
	return slices.ContainsFunc(candidates, func(c candidate) bool { return c.scheme.takesSecrets() })
}

// accountOf returns the account that a credential names; empty for none.
func accountOf(candidates []candidate) string {
	for _, c := range candidates {
		if scheme, ok := c.scheme.Scheme.(authn.Throttled); ok {
			if account := scheme.Account(c.credential); account != "" {
				return account
			}
		}
	}
	return ""
}

// isVerified reports whether an earlier gate had the credential verified: one
// request is one attempt.
func (s *requestState) isVerified(credential authn.Credential) bool {
	return slices.ContainsFunc(s.verified, func(v verification) bool { return v.credential == credential })
}

// attemptResult is what a decision means for the count of failed attempts. A
// failure counts where a throttled scheme found the credential wrong, whatever the
// other schemes found.
func (s *requestState) attemptResult(d *decision) bruteforce.Result {
	switch d.outcome.Verdict {
	case authn.Accepted:
		return bruteforce.Success
	case authn.TemporarilyUnavailable:
		return bruteforce.Ignored
	case authn.Rejected, authn.NotApplicable:
	}
	for _, v := range s.verified {
		if v.scheme.takesSecrets() && v.credential == d.credential && v.outcome.Code == authn.CodeInvalidCredentials {
			return bruteforce.Failure
		}
	}
	return bruteforce.Ignored
}

var (
	errNoCredentials = errors.New("no credentials of an accepted scheme")
	errEarly         = errors.New("the credential came in early data, which can be a replay")
)

// noCredentials is why no scheme found a credential, with what Authorization has
// instead of one.
func noCredentials(r *authn.Request) error {
	if r.Header.Get("Authorization") == "" {
		return errNoCredentials
	}
	authorization, _ := r.Authorization() // candidates has returned an error before
	found := "Authorization with something else than the name of a scheme first"
	switch {
	case authorization.Value == "":
		found = "Authorization with one word: a scheme such as Bearer, a space and a credential are needed"
	case authheader.IsScheme(authorization.Scheme):
		found = "Authorization with the scheme " + authorization.Scheme
	}
	return &mismatch.ValueError{Reason: errNoCredentials.Error(), Found: found}
}

// isEarly reports whether a request came before the TLS handshake was complete
// (RFC 8470 §3). 0-RTT data can be replayed and its source address is unverified, so
// it must neither grant access nor count as a failed attempt.
func isEarly(r *http.Request) bool { return r.TLS != nil && !r.TLS.HandshakeComplete }
