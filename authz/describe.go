package authz

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// rule is a part of a requirement.
type rule struct {
	name   string
	decide func(*Requirement, *http.Request, *authn.Identity) Decision
	// asked is what the part asks for, empty for nothing; held is what the
	// caller has of that kind.
	asked func(*Requirement) string
	held  func(*authn.Identity) string
}

// rules are the parts of a requirement in the order in which they are asked.
var rules = []rule{
	{
		"session", (*Requirement).decideSession,
		func(q *Requirement) string { return join(q.describeSession()) },
		func(caller *authn.Identity) string {
			return "acr " + printed(caller, "acr") + " and auth_time " + printed(caller, "auth_time")
		},
	},
	{
		"scope", (*Requirement).decideScopes,
		func(q *Requirement) string { return join(list("scope", q.Scopes), list("any_scope", q.AnyScopes)) },
		func(caller *authn.Identity) string { return orNothing(caller.Scopes) },
	},
	{
		"role", (*Requirement).decideRoles,
		func(q *Requirement) string { return join(list("role", q.Roles), list("any_role", q.AnyRoles)) },
		func(caller *authn.Identity) string { return orNothing(caller.Roles) },
	},
	{
		"policy", (*Requirement).decidePolicy,
		func(q *Requirement) string { return join(q.describePolicy()...) },
		func(caller *authn.Identity) string { return "user " + orNothing([]string{caller.ID}) },
	},
}

// Rules returns the names of the parts that the requirement has.
func (q *Requirement) Rules() (names []string) {
	for _, rule := range rules {
		if rule.asked(q) != "" {
			names = append(names, rule.name)
		}
	}
	return names
}

// Describe says in one line what is required, for logs and reports.
func (q *Requirement) Describe() string {
	parts := []string{
		list("scope", q.Scopes), list("any_scope", q.AnyScopes), list("role", q.Roles), list("any_role", q.AnyRoles), list("user", q.Users),
		q.describeSession(),
	}
	return join(append(parts, q.describePolicy()[1:]...)...)
}

// DescribeDenial says what a 403 names: scopes and roles. Users, claims and the
// condition are for the operator alone.
func (q *Requirement) DescribeDenial() string {
	return join(list("scope", q.Scopes), list("any_scope", q.AnyScopes), list("role", q.Roles), list("any_role", q.AnyRoles))
}

// Forbids reports whether the requirement can be answered 403. A session that is
// too old or too weak is 401.
func (q *Requirement) Forbids() bool {
	return q.DescribeDenial() != "" || len(q.describePolicy()) > 1 || len(q.Users) > 0
}

func (q *Requirement) describeSession() string {
	var age string
	if q.MaxAge > 0 {
		age = "max_age " + time.Duration(q.MaxAge).String()
	}
	return join(list("acr", q.ACR), age)
}

// describePolicy begins with the users.
func (q *Requirement) describePolicy() []string {
	parts := []string{list("user", q.Users)}
	for _, claim := range q.Claims {
		parts = append(parts, "claim "+claim.Path+" "+strings.Join(claim.Values, " "))
	}
	if q.If != "" {
		parts = append(parts, "if "+q.If)
	}
	return parts
}

// join leaves out what is empty.
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

func printed(caller *authn.Identity, claim string) string {
	value, present := caller.Claim(claim)
	if !present {
		return "nothing"
	}
	return fmt.Sprint(value)
}
