package requireauth

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

// stateVariable is the request variable that holds the [requestState].
const stateVariable = "auth.request_state"

// requestState is what the gates that a request passes share: the credentials as they
// came, what they were found to be, and who the caller is. It belongs to one
// request and is used by one goroutine.
type requestState struct {
	request  authn.Request
	verified []verification

	// Room for what nearly every request needs, allocated with the state.
	roomFound    [1]candidate
	roomVerified [1]verification

	// identity and scheme are of the caller who was let in last; nil for an
	// anonymous one.
	identity *authn.Identity
	scheme   string

	// forwarded are the fields that gates have set, as they were set.
	forwarded []forwardedField

	// considered is the caller whom a requirement is being held against.
	considered *authn.Identity

	// denied is the answer, once there is one.
	denied *denial.Denial

	// hidden says that the answer is that there is nothing, so that nothing
	// may tell of a gate.
	hidden bool

	// explained is where an explanation is written; nil for a request that is
	// judged.
	explained *Explanation

	// removed are the credentials that gates removed from the request. While a
	// gate decides they are back, and restored lists their places.
	removed  []authn.Removal
	restored []authn.Location

	trace string
}

// traceID returns the trace id of the request, always the same.
func (v *requestState) traceID(app *App, r *http.Request) string {
	if replacer := replacerOf(r); v.trace == "" && replacer != nil {
		v.trace = app.traceID(replacer)
	}
	return v.trace
}

type verification struct {
	candidate
	outcome authn.Outcome

	// ofGate says that the outcome depends on the gate: on its audience, or on a
	// proof of possession. Another gate does not recall it.
	ofGate bool
}

// stateOf returns the state of a request; the first gate creates it. Each gate reads
// the request as it is there, with what earlier gates removed from it.
func stateOf(r *http.Request) *requestState {
	if known, ok := caddyhttp.GetVar(r.Context(), stateVariable).(*requestState); ok {
		known.restore(r)
		known.request.Read(r)
		return known
	}
	begun := new(requestState)
	begun.request.Read(r)
	begun.verified = begun.roomVerified[:0]
	caddyhttp.SetVar(r.Context(), stateVariable, begun)
	if replacer := replacerOf(r); replacer != nil {
		replacer.Map(begun.placeholder)
	}
	return begun
}

func replacerOf(r *http.Request) *caddy.Replacer {
	replacer, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	return replacer
}

// verify has a scheme verify a credential, or recalls the outcome of an earlier gate.
func (v *requestState) verify(c candidate) authn.Outcome {
	for _, known := range v.verified {
		if known.scheme.Scheme == c.scheme.Scheme && known.credential == c.credential && !known.ofGate {
			_ = v.request.Trace.Note("verified for an earlier gate", known.outcome.Reason)
			return known.outcome
		}
	}
	v.request.Trace.SetScheme(c.scheme.name)
	began := time.Now()
	outcome, ofGate := v.request.Verify(c.scheme.Scheme, c.credential)
	outcome = c.scheme.checkRevocation(outcome, v.request.Trace)
	v.request.Trace.SetScheme("")
	if v.explained == nil {
		c.scheme.meters.took(outcome.Source, time.Since(began))
	}
	v.verified = append(v.verified, verification{candidate: c, outcome: outcome, ofGate: ofGate})
	return outcome
}

// consider makes the caller known to conditions; the returned function ends it.
func (v *requestState) consider(identity *authn.Identity) func() {
	v.considered = identity
	return func() { v.considered = nil }
}

// placeholder answers for `{http.auth.…}`, when somebody asks.
func (v *requestState) placeholder(key string) (any, bool) {
	rest, ours := strings.CutPrefix(key, "http.auth.")
	if !ours || v.hidden && v.identity == nil {
		return nil, false
	}
	if claim, ok := strings.CutPrefix(rest, "user."); ok {
		return v.ofUser(claim), true
	}
	if rest == "scheme" {
		return v.scheme, true
	}
	if rest == "client.id" {
		if caller := v.caller(); caller != nil {
			return caller.Client, true
		}
		return "", true
	}
	if strings.HasPrefix(rest, "condition.") {
		return v.ofCondition(key)
	}
	return v.ofDenial(rest)
}

// caller is whom placeholders speak of.
func (v *requestState) caller() *authn.Identity {
	if v.considered != nil {
		return v.considered
	}
	return v.identity
}

// ofUser answers for `{http.auth.user.…}`. What is not there is empty, so that
// no placeholder ever reaches an upstream unreplaced.
func (v *requestState) ofUser(name string) any {
	caller := v.caller()
	if caller == nil {
		return ""
	}
	switch name {
	case "id":
		return caller.ID
	case "scope":
		return joinList(slices.Clone(caller.Scopes), " ")
	}
	if claim, present := caller.Claim(name); present {
		return claimText(name, claim)
	}
	if name == "roles" {
		return joinList(slices.Clone(caller.Roles), ",")
	}
	return ""
}

// ofCondition answers for the variables of an `if`.
func (v *requestState) ofCondition(key string) (any, bool) {
	caller := v.considered
	if caller == nil {
		return nil, false
	}
	switch key {
	case authz.ClaimsPlaceholder:
		if all := caller.Claims.All(); all != nil {
			return all, true
		}
		return map[string]any{}, true
	case authz.ScopesPlaceholder:
		return caller.Scopes, true
	case authz.RolesPlaceholder:
		return caller.Roles, true
	case authz.UserPlaceholder:
		return caller.ID, true
	}
	return nil, false
}

// ofDenial answers for what error pages show.
func (v *requestState) ofDenial(name string) (any, bool) {
	if v.denied == nil {
		return nil, false
	}
	switch name {
	case "error":
		return string(v.denied.Code), true
	case "error_description":
		return v.denied.Detail(), true
	case "required_scopes":
		return strings.Join(v.denied.RequiredScopes, " "), true
	case "trace_id":
		return v.denied.TraceID, true
	}
	return nil, false
}
