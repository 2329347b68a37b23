package authz

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// rule is a part of a requirement. Its name is the one that `explain` prints.
type rule struct {
	name string
	// decide returns the denial, or nil if the caller meets the rule.
	decide func(*Requirement, *http.Request, *authn.Identity) *Decision
	// required is what the requirement demands, or empty. held is what the caller has
	// of that kind.
	required func(*Requirement) string
	present  func(*Requirement, *authn.Identity) string
}

// rules are the parts of a requirement in the order in which they are checked.
var rules = []rule{
	{
		"session", (*Requirement).decideSession,
		(*Requirement).describeSession,
		func(_ *Requirement, caller *authn.Identity) string {
			return "acr " + printClaim(caller, "acr") + " and auth_time " + printClaim(caller, "auth_time")
		},
	},
	{
		"scope", (*Requirement).decideScopes,
		func(q *Requirement) string { return join(list("scope", q.Scopes), list("any_scope", q.AnyScopes)) },
		func(_ *Requirement, caller *authn.Identity) string { return orNothing(caller.Scopes) },
	},
	{
		"role", (*Requirement).decideRoles,
		func(q *Requirement) string { return join(list("role", q.Roles), list("any_role", q.AnyRoles)) },
		func(_ *Requirement, caller *authn.Identity) string { return orNothing(caller.Roles) },
	},
	{
		"user", (*Requirement).decideUser,
		func(q *Requirement) string { return list("user", q.Users) },
		func(_ *Requirement, caller *authn.Identity) string { return "user " + orNothing([]string{caller.ID}) },
	},
	{
		"claim", (*Requirement).decideClaims,
		(*Requirement).describeClaims,
		func(q *Requirement, caller *authn.Identity) string {
			present := make([]string, len(q.Claims))
			for i, claim := range q.Claims {
				present[i] = claim.Path + " " + printClaim(caller, claim.Path)
			}
			return join(present...)
		},
	},
	{
		"condition", (*Requirement).decideCondition,
		(*Requirement).describeCondition,
		func(_ *Requirement, caller *authn.Identity) string { return "user " + orNothing([]string{caller.ID}) },
	},
}

// Rules returns the names of the parts of the requirement.
func (q *Requirement) Rules() (names []string) {
	for _, rule := range rules {
		if rule.required(q) != "" {
			names = append(names, rule.name)
		}
	}
	return names
}

// Describe returns the requirement in one line, for logs and reports.
func (q *Requirement) Describe() string {
	parts := []string{
		list("scope", q.Scopes), list("any_scope", q.AnyScopes), list("role", q.Roles), list("any_role", q.AnyRoles), list("user", q.Users),
		q.describeSession(),
	}
	return join(append(parts, q.describeClaims(), q.describeCondition())...)
}

// DescribeDenial returns what a 403 names: scopes and roles. Only the operator sees
// users, claims and the condition.
func (q *Requirement) DescribeDenial() string {
	return join(list("scope", q.Scopes), list("any_scope", q.AnyScopes), list("role", q.Roles), list("any_role", q.AnyRoles))
}

// Forbids reports whether the requirement can cause a 403. A session that is too old or
// too weak causes a 401.
func (q *Requirement) Forbids() bool {
	return q.DescribeDenial() != "" || len(q.Claims) > 0 || len(q.Users) > 0 || q.If != ""
}

func (q *Requirement) describeSession() string {
	var age string
	if q.MaxAge > 0 {
		age = "max_age " + time.Duration(q.MaxAge).String()
	}
	return join(list("acr", q.ACR), age)
}

func (q *Requirement) describeClaims() string {
	parts := make([]string, len(q.Claims))
	for i, claim := range q.Claims {
		parts[i] = "claim " + claim.Path + " " + strings.Join(claim.Values, " ")
	}
	return join(parts...)
}

func (q *Requirement) describeCondition() string {
	if q.If == "" {
		return ""
	}
	return "if " + q.If
}

// join joins the non-empty texts.
func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "; ")
}

func list(name string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	return name + " " + strings.Join(values, " ")
}

func orNothing(values []string) string {
	if text := strings.Join(values, " "); text != "" {
		return text
	}
	return "nothing"
}

func printClaim(caller *authn.Identity, claim string) string {
	value, present := caller.Claim(claim)
	if !present {
		return "nothing"
	}
	return fmt.Sprint(value)
}
