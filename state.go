package requireauth

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/denial"
	"github.com/excorp/caddy-require-auth/store"
)

// stateVariable is the request variable that holds the [requestState].
const stateVariable = "auth.request_state"

// requestState is what the gates of one request share: the credentials as they came,
// the outcomes of their verification, and the caller. One goroutine uses it.
type requestState struct {
	request  authn.Request
	replacer *caddy.Replacer // nil for none
	verified []verification

	// Room for what nearly every request needs, allocated with the state.
	roomFound    [1]candidate
	roomVerified [1]verification

	// identity and scheme are of the caller whom the last gate admitted; nil for an
	// anonymous caller.
	identity *authn.Identity
	scheme   string

	// forwarded are the fields that gates have set, as they were set.
	forwarded []forwardedField

	// considered is the caller whom authorize checks at the moment.
	considered *authn.Identity

	// denied is the answer, once there is one.
	denied *denial.Denial

	// hidden says that the answer is a missing page, so that no placeholder may
	// reveal a gate.
	hidden bool

	// explained receives an explanation; nil for an ordinary request.
	explained *Explanation

	// removed are the credentials that gates removed from the request. While a
	// gate decides they are back, and restored lists their locations.
	removed  []authn.Removal
	restored []authn.Location

	trace string

	// setReadDeadline bounds the time in which the body of an MCP request arrives.
	setReadDeadline func(time.Time) error
}

// verification is the outcome of a credential at a scheme.
type verification struct {
	candidate
	outcome authn.Outcome

	// ofGate says that the outcome depends on the gate: on its audience, or on a
	// proof of possession. Another gate does not use it.
	ofGate bool
}

// stateOf returns the state of a request; the first gate creates it. Each gate reads
// the request as it is there, with what earlier gates removed from it.
func stateOf(r *http.Request) *requestState {
	variables, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	if state, ok := variables[stateVariable].(*requestState); ok {
		state.restoreCredentials(r)
		state.request.Read(r)
		return state
	}
	state := &requestState{replacer: replacerOf(r)}
	state.request.Read(r)
	state.verified = state.roomVerified[:0]
	if variables != nil {
		variables[stateVariable] = state
	}
	if state.replacer != nil {
		state.replacer.Map(state.placeholder)
	}
	return state
}

func replacerOf(r *http.Request) *caddy.Replacer {
	replacer, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	return replacer
}

// traceID returns the trace id of the request, always the same.
func (s *requestState) traceID(app *App) string {
	if s.trace == "" && s.replacer != nil {
		s.trace = app.traceID(s.replacer)
	}
	return s.trace
}

// verify has a scheme verify a credential, or returns the outcome of an earlier gate.
func (s *requestState) verify(c candidate) authn.Outcome {
	for _, v := range s.verified {
		if v.scheme.Scheme == c.scheme.Scheme && v.credential == c.credential && !v.ofGate {
			_ = s.request.Trace.Note("verified for an earlier gate", v.outcome.Reason)
			return v.outcome
		}
	}
	s.request.Trace.SetScheme(c.scheme.name)
	start := time.Now()
	outcome, ofGate := s.request.Verify(c.scheme.Scheme, c.credential)
	outcome = c.scheme.checkRevocation(outcome, s.request.Trace)
	s.request.Trace.SetScheme("")
	if s.explained == nil {
		c.scheme.metrics.observeVerify(outcome.Source, time.Since(start))
	}
	if outcome.Verdict == authn.Accepted && outcome.Identity == nil {
		// A scheme that breaks its contract must not open the gate.
		outcome = authn.Reject(authn.CodeInvalidCredentials, errors.New("the scheme accepted a caller without an identity"))
	}
	s.verified = append(s.verified, verification{candidate: c, outcome: outcome, ofGate: ofGate})
	return outcome
}

// checkRevocation refuses a caller who was revoked. Schemes of tokens do so
// themselves: for them it depends on when a token was issued.
func (s *namedScheme) checkRevocation(outcome authn.Outcome, trace *trace.Trace) authn.Outcome {
	_, itself := s.Scheme.(capability.Revocable)
	if itself || outcome.Verdict != authn.Accepted || outcome.Identity == nil {
		return outcome
	}
	err := trace.Note("revocation", store.CheckCaller(s.store, s.name, outcome.Identity.ID))
	switch {
	case err == nil:
		return outcome
	case errors.Is(err, store.ErrRevoked):
		return authn.Reject(authn.CodeInvalidCredentials, err)
	default:
		return authn.Unavailable(time.Second, err)
	}
}

// admit makes the caller the one that placeholders read. Values that another
// handler set under the same names go.
func (s *requestState) admit(d *decision) {
	if s.replacer != nil {
		s.replacer.DeleteByPrefix("http.auth.user.")
	}
	s.identity, s.scheme = d.outcome.Identity, d.scheme.name
}

// removeCredential removes the credential at a location. Later gates find it all
// the same.
func (s *requestState) removeCredential(location authn.Location) {
	if removal, found := location.Take(&s.request); found {
		s.removed = append(s.removed, removal)
	}
}

// restoreCredentials puts back what earlier gates removed.
func (s *requestState) restoreCredentials(r *http.Request) {
	for _, removal := range slices.Backward(s.removed) {
		if removal.Restore(r) {
			s.restored = append(s.restored, removal.Location)
		}
	}
	s.removed = nil
}

// removeRestored removes what restoreCredentials has put back.
func (s *requestState) removeRestored() {
	for _, location := range s.restored {
		s.removeCredential(location)
	}
	s.restored = nil
}
