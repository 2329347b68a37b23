package requireauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/trace"
)

// Explanation is the answer of `POST /auth/explain`: why a request gets the
// answer it gets. It is made by the same code that judges requests, and holds
// no credential.
type Explanation struct {
	// Request is the method and the URL, without its query.
	Request string `json:"request,omitempty"`
	// Server is the name of Caddy's server that listens there.
	Server string `json:"server,omitempty"`
	// Gates are those that the request came to, in order.
	Gates []GateExplanation `json:"gates,omitempty"`
	// Schemes are what each scheme says of a token that came without a request.
	Schemes []SchemeExplanation `json:"schemes,omitempty"`
	// Skipped are unknown handlers that were not run. Their changes of the request are not
	// considered.
	Skipped []string `json:"skipped,omitempty"`
	// Reaches is the handler that would have answered, had it been asked.
	Reaches string `json:"reaches,omitempty"`
	// Answer is what the client gets; absent where another handler answers.
	Answer *Answer `json:"answer,omitempty"`

	secrets []string // the credentials that were judged
}

// GateExplanation is what one gate decides.
type GateExplanation struct {
	// Accepts are the schemes that the gate accepts.
	Accepts []string `json:"accepts"`
	GateStatus
	// Operation is the one of the OpenAPI document that the request is for.
	Operation string `json:"operation,omitempty"`
	SchemeExplanation
	// Decision is `admitted`, `denied` or `would_deny`; `answered` for a preflight.
	Decision string `json:"decision"`
	// Code is what a denied client is told.
	Code authn.Code `json:"code,omitempty"`
	// Status is the status of an answer by the gate.
	Status int `json:"status,omitempty"`
	// Reason is the cause. No client gets it.
	Reason string `json:"reason,omitempty"`
	// Missing is what the caller lacks, such as scopes.
	Missing []string `json:"missing,omitempty"`
}

// SchemeExplanation is what a scheme says of a credential.
type SchemeExplanation struct {
	// Scheme is the name of the scheme that judged; absent where there was no
	// credential.
	Scheme string `json:"scheme,omitempty"`
	// Credential is what was found and where, such as
	// `Bearer in header Authorization`.
	Credential string `json:"credential,omitempty"`
	// Checks are those that were made, in order.
	Checks []trace.Check `json:"checks,omitempty"`
	// Verdict is `accepted`, `rejected`, `foreign` for a credential of another
	// scheme, or `unavailable`.
	Verdict string `json:"verdict,omitempty"`
	// Why says why it was not accepted.
	Why string `json:"why,omitempty"`
	// Caller is who it is, once that is known.
	Caller *Caller `json:"caller,omitempty"`
}

// Caller is a caller who is known.
type Caller struct {
	User   string   `json:"user,omitempty"`
	Client string   `json:"client,omitempty"`
	Issuer string   `json:"issuer,omitempty"`
	Scopes []string `json:"scopes,omitempty"`
	Roles  []string `json:"roles,omitempty"`
}

// Answer is an HTTP response.
type Answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body,omitempty"`
}

var verdicts = map[authn.Verdict]string{
	authn.Accepted: "accepted", authn.Rejected: "rejected", authn.NotApplicable: "foreign", authn.TemporarilyUnavailable: "unavailable",
}

// addPreflight notes that a gate answers a preflight or hands it on.
func (e *Explanation) addPreflight(g *RequireAuth, forwards bool) {
	if e == nil {
		return
	}
	gate := GateExplanation{Accepts: namesOf(g.allSchemes()), GateStatus: g.status()}
	gate.Decision, gate.Status, gate.Reason = "answered", http.StatusNoContent, "the gate answers CORS preflights itself"
	if forwards {
		gate.Decision, gate.Status, gate.Reason = admitted, 0, "`preflight forward` leaves CORS preflights to the upstream"
	}
	e.Gates = append(e.Gates, gate)
}

// addGate notes what a gate decided.
func (e *Explanation) addGate(g *RequireAuth, state *requestState, d *decision) {
	gate := GateExplanation{Accepts: namesOf(g.acceptedFor(d)), GateStatus: g.status(), Decision: admitted, Operation: d.operation}
	gate.Checks = state.request.Trace.Take()
	if d.required != nil {
		gate.Required = d.required.Describe()
	}
	if d.scheme != nil {
		checks := gate.Checks
		gate.SchemeExplanation = explainOutcome(d.scheme.name, d.credential, d.outcome)
		gate.Checks = checks
	}
	if !d.Allowed {
		gate.Decision, gate.Code, gate.Status, gate.Missing = g.verdict(d), d.Code, g.statusOf(d), d.Missing
		if d.Reason != nil {
			gate.Reason = d.Reason.Error()
		}
	}
	e.Gates = append(e.Gates, gate)
}

func explainOutcome(scheme string, credential authn.Credential, outcome authn.Outcome) SchemeExplanation {
	explained := SchemeExplanation{Scheme: scheme, Verdict: verdicts[outcome.Verdict]}
	if location := credential.Location; location.Kind != "" {
		explained.Credential = strings.TrimSpace(credential.Scheme + " in " + string(location.Kind) + " " + location.Name)
	}
	if outcome.Reason != nil {
		explained.Why = outcome.Reason.Error()
	}
	if identity := outcome.Identity; identity != nil {
		explained.Caller = &Caller{
			User: identity.ID, Client: identity.Client, Issuer: identity.Issuer,
			Scopes: slices.Clone(identity.Scopes), Roles: slices.Clone(identity.Roles),
		}
	}
	return explained
}

func namesOf(schemes []*namedScheme) []string {
	names := make([]string, len(schemes))
	for i, scheme := range schemes {
		names[i] = scheme.name
	}
	return names
}

// describe says in one line what the gate requires.
func (g *RequireAuth) describe() string {
	parts := []string{g.Requirement.Describe(), g.MCP.Describe(), g.OpenAPI.Describe()}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "; ")
}

// status is what an operator may see of the gate, which does not know its own position.
func (g *RequireAuth) status() GateStatus {
	return GateStatus{Required: g.describe(), Optional: g.Optional, gate: g}
}
