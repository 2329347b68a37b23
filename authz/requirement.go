// Package authz decides what a caller may do.
//
// A [Requirement] belongs to a gate. With the identity of a caller it results in a
// [Decision]. The package writes nothing to the client.
package authz

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/claimpath"
)

// Requirement is what a gate requires of an authenticated caller. All parts must hold.
// The zero value allows every authenticated caller.
type Requirement struct {
	Session

	// Scopes that the caller needs, all of them. Default: none.
	Scopes []string `json:"scopes,omitempty"`

	// Scopes of which the caller needs at least one. A denial names the first. Default:
	// none.
	AnyScopes []string `json:"any_scopes,omitempty"`

	// Roles that the caller needs, all of them. Default: none.
	Roles []string `json:"roles,omitempty"`

	// Roles of which the caller needs at least one. Default: none.
	AnyRoles []string `json:"any_roles,omitempty"`

	// Claims that must have one of the given values. Default: none.
	Claims []Claim `json:"claims,omitempty"`

	// Users. The caller must be one of them. A client that acts for itself is not a
	// user. Default: any.
	Users []string `json:"users,omitempty"`

	// An expression in Caddy's expression language (CEL) that must be true. It has
	// placeholders such as `{http.auth.user.id}`, Caddy's matcher functions, and the
	// variables `claims` (a map), `scopes` and `roles` (lists) and `user` (a string).
	// An expression that fails denies, for example because a claim is missing. Default:
	// none.
	If string `json:"if,omitempty"`

	condition *condition
	grants    grants
}

// Claim is a claim and its accepted values.
type Claim struct {
	// The path of the claim, such as `realm_access.roles`.
	Path string `json:"path"`
	// The claim must equal one of these or, as a list, contain one. Numbers and
	// booleans are compared by their usual spelling.
	Values []string `json:"values"`
}

// Decision is the result for a caller.
type Decision struct {
	// Allowed is false in the zero value.
	Allowed bool

	// Code is the code for a denied client.
	Code authn.Code

	// RequiredScopes and RequiredRoles are the requirement, if it was not met.
	RequiredScopes []string
	RequiredRoles  []string

	// Missing is what the caller lacks, for the log only.
	Missing []string

	// Reason is the cause, for the log only.
	Reason error
}

// Check validates the configuration.
func (q *Requirement) Check() error {
	for _, scope := range slices.Concat(q.Scopes, q.AnyScopes) {
		if !authheader.IsScopeToken(scope) {
			return fmt.Errorf("invalid scope %q: write it without spaces, quotes and backslashes (RFC 6749 §3.3)", scope)
		}
	}
	if slices.Contains(slices.Concat(q.Roles, q.AnyRoles, q.Users), "") {
		return errors.New("a required role or user is empty")
	}
	for _, claim := range q.Claims {
		if claim.Path == "" || len(claim.Values) == 0 {
			return errors.New("a required claim needs a path and at least one value: write `claim <path> <value>...`")
		}
	}
	return q.Session.check()
}

// Provision prepares the requirement. It needs the scopes that imply others, and the
// scopes that [Requirement.With] may add.
func (q *Requirement) Provision(ctx caddy.Context, implies map[string][]string, more ...string) error {
	if err := q.Check(); err != nil {
		return err
	}
	q.Session.now = time.Now
	q.grants = newGrants(slices.Concat(q.Scopes, q.AnyScopes, more), implies)
	if q.If == "" {
		return nil
	}
	var err error
	q.condition, err = newCondition(ctx, q.If)
	return err
}

// With returns the requirement with more scopes, for one request.
func (q *Requirement) With(scopes []string) *Requirement {
	if len(scopes) == 0 {
		return q
	}
	wider := *q
	wider.Scopes = slices.Clone(q.Scopes)
	for _, scope := range scopes {
		if !slices.Contains(wider.Scopes, scope) {
			wider.Scopes = append(wider.Scopes, scope)
		}
	}
	return &wider
}

// Plus returns the requirement with more scopes and roles when a configuration is
// loaded. It needs the scopes that imply others.
func (q *Requirement) Plus(scopes, roles []string, implies map[string][]string) (*Requirement, error) {
	wider := *q.With(scopes)
	wider.Roles = slices.Clone(q.Roles)
	for _, role := range roles {
		if !slices.Contains(wider.Roles, role) {
			wider.Roles = append(wider.Roles, role)
		}
	}
	wider.grants = newGrants(slices.Concat(wider.Scopes, wider.AnyScopes), implies)
	return &wider, wider.Check()
}

// Covers reports whether a caller has the scopes and roles, whatever else is required.
func (q *Requirement) Covers(caller *authn.Identity) bool {
	return q.decideScopes(nil, caller) == nil && q.decideRoles(nil, caller) == nil
}

// ChallengeScopes returns the scopes for a challenge: all required scopes, and the
// first of the alternatives.
func (q *Requirement) ChallengeScopes() []string {
	if len(q.AnyScopes) == 0 {
		return q.Scopes
	}
	if slices.Contains(q.Scopes, q.AnyScopes[0]) {
		return q.Scopes
	}
	return append(slices.Clip(q.Scopes), q.AnyScopes[0])
}

// Decide checks a caller. It first reports what a client can act on: a new login, then
// more scopes.
func (q *Requirement) Decide(r *http.Request, caller *authn.Identity) Decision {
	for _, rule := range rules {
		if denied := rule.decide(q, r, caller); denied != nil {
			return *denied
		}
	}
	return Decision{Allowed: true}
}

// Explain notes the result of each rule, also after the first denial.
func (q *Requirement) Explain(r *http.Request, caller *authn.Identity, trace *trace.Trace) {
	for _, rule := range rules {
		if required := rule.required(q); required != "" {
			var reason error
			if denied := rule.decide(q, r, caller); denied != nil {
				reason = denied.Reason
			}
			_ = trace.NoteFound(rule.name, reason, func() string { return fmt.Sprintf("required %s, held %s", required, rule.present(q, caller)) })
		}
	}
}

func (q *Requirement) decideSession(_ *http.Request, caller *authn.Identity) *Decision {
	if len(q.ACR) == 0 && q.MaxAge == 0 {
		return nil
	}
	return q.Session.decide(caller)
}

// Holds reports whether a caller, maybe an anonymous one, has all of the scopes.
func (q *Requirement) Holds(caller *authn.Identity, scopes []string) bool {
	return len(scopes) == 0 || caller != nil &&
		!slices.ContainsFunc(scopes, func(scope string) bool { return !q.grants.cover(caller.Scopes, scope) })
}

func (q *Requirement) decideScopes(_ *http.Request, caller *authn.Identity) *Decision {
	if len(q.Scopes) == 0 && len(q.AnyScopes) == 0 {
		return nil
	}
	missing := unmet(q.Scopes, q.AnyScopes, func(scope string) bool { return q.grants.cover(caller.Scopes, scope) })
	if len(missing) == 0 {
		return nil
	}
	return &Decision{
		Code: authn.CodeInsufficientScope, RequiredScopes: slices.Concat(q.Scopes, q.AnyScopes), Missing: missing,
		Reason: errors.New("a required scope is missing"),
	}
}

func (q *Requirement) decideRoles(_ *http.Request, caller *authn.Identity) *Decision {
	missing := unmet(q.Roles, q.AnyRoles, func(role string) bool { return slices.Contains(caller.Roles, role) })
	if len(missing) == 0 {
		return nil
	}
	return &Decision{
		Code: authn.CodeInsufficientRole, RequiredRoles: slices.Concat(q.Roles, q.AnyRoles), Missing: missing,
		Reason: because("a required role is missing", caller, ""),
	}
}

// unmet returns the members of all that the caller lacks, and anyOf if the caller has
// none of it.
func unmet(all, anyOf []string, has func(string) bool) []string {
	var missing []string
	for _, name := range all {
		if !has(name) {
			missing = append(missing, name)
		}
	}
	if len(anyOf) > 0 && !slices.ContainsFunc(anyOf, has) {
		missing = append(missing, anyOf...)
	}
	return missing
}

// The decisions about the user, the claims and the condition give the client no
// details, because no other token helps.

func (q *Requirement) decideUser(_ *http.Request, caller *authn.Identity) *Decision {
	if len(q.Users) > 0 && !slices.Contains(q.Users, caller.ID) {
		return deny("user", errors.New("the user is not one of those required"))
	}
	return nil
}

func (q *Requirement) decideClaims(_ *http.Request, caller *authn.Identity) *Decision {
	for _, claim := range q.Claims {
		value, _ := caller.Claim(claim.Path)
		if !matches(value, claim.Values) {
			return deny("claim "+claim.Path, because("a required claim is missing or has another value", caller, claim.Path))
		}
	}
	return nil
}

func (q *Requirement) decideCondition(r *http.Request, _ *authn.Identity) *Decision {
	if q.condition != nil {
		if err := q.condition.check(r); err != nil {
			return deny("if", err)
		}
	}
	return nil
}

func deny(missing string, reason error) *Decision {
	return &Decision{Code: authn.CodeAccessDenied, Missing: []string{missing}, Reason: reason}
}

// matches reports whether a claim equals, or as a list contains, a value.
func matches(claim any, values []string) bool {
	if list, ok := claim.([]any); ok {
		return slices.ContainsFunc(list, func(member any) bool { return equals(member, values) })
	}
	return equals(claim, values)
}

func equals(claim any, values []string) bool {
	switch claim := claim.(type) {
	case string:
		return slices.Contains(values, claim)
	case bool:
		return slices.Contains(values, strconv.FormatBool(claim))
	case int64:
		return slices.Contains(values, strconv.FormatInt(claim, 10))
	case float64:
		return claimpath.Exact(claim) && slices.Contains(values, strconv.FormatFloat(claim, 'f', -1, 64))
	default: // null, an object or a nested list equals nothing
		return false
	}
}

// grants lists, for each required scope, the scopes that grant it: the scope itself and
// all that imply it, directly or through others.
type grants map[string][]string

// newGrants inverts the implications when a configuration is loaded, so that a request
// only looks them up.
func newGrants(required []string, implies map[string][]string) grants {
	g := make(grants, len(required))
	for _, scope := range required {
		granting := []string{scope}
		for i := 0; i < len(granting); i++ {
			for holder, implied := range implies {
				if slices.Contains(implied, granting[i]) && !slices.Contains(granting, holder) {
					granting = append(granting, holder)
				}
			}
		}
		g[scope] = granting
	}
	return g
}

// cover reports whether the held scopes grant the required one.
func (g grants) cover(scopes []string, required string) bool {
	for _, scope := range g[required] {
		if slices.Contains(scopes, scope) {
			return true
		}
	}
	return false
}
