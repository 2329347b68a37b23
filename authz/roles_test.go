package authz

import (
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestRoles(t *testing.T) {
	implies := map[string][]string{"admin": {"read"}}
	for name, tc := range map[string]struct {
		all, anyOf, held, missing string
	}{
		"R6750-12: the one":                           {"ops", "", "ops", ""},
		"R6750-12: among others":                      {"ops dev", "", "dev x ops", ""},
		"R6750-12: none":                              {"ops", "", "", "ops"},
		"R6750-12: one of two":                        {"ops dev", "", "dev", "ops"},
		"R6750-12: another letter case":               {"ops", "", "OPS", "ops"},
		"R6750-12: a part of a name":                  {"ops", "", "devops", "ops"},
		"R6750-12: any":                               {"", "ops dev", "dev", ""},
		"R6750-12: any: none":                         {"", "ops dev", "x", "ops dev"},
		"R6750-12: all and any":                       {"a", "b c", "a b", ""},
		"R6750-12: all and any: only any":             {"a", "b c", "b", "a"},
		"R6750-12: what implies scopes is not a role": {"read", "", "admin", "read"},
	} {
		t.Run(name, func(t *testing.T) {
			q := Requirement{Roles: strings.Fields(tc.all), AnyRoles: strings.Fields(tc.anyOf)}
			got := decide(t, q, implies, &authn.Identity{Roles: strings.Fields(tc.held)})
			if strings.Join(got.Missing, " ") != tc.missing || got.Allowed != (tc.missing == "") {
				t.Fatalf("allowed %t, missing %q", got.Allowed, got.Missing)
			}
			if !got.Allowed && (got.Code != authn.CodeInsufficientRole || !slices.Equal(got.RequiredRoles, strings.Fields(tc.all+" "+tc.anyOf)) || got.RequiredScopes != nil) {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("R6750-12: a role is not a scope and a scope is not a role", func(t *testing.T) {
		if decide(t, Requirement{Roles: []string{"a"}}, nil, &authn.Identity{Scopes: []string{"a"}}).Allowed ||
			decide(t, Requirement{Scopes: []string{"a"}}, nil, &authn.Identity{Roles: []string{"a"}}).Allowed {
			t.Error("the one was taken for the other")
		}
	})
}

// TestOverage has tokens without the groups of their user.
func TestOverage(t *testing.T) {
	groups := map[string]any{"groups": "src1"}
	sources := map[string]any{"src1": map[string]any{"endpoint": "https://graph.windows.net/t/users/u/getMemberObjects"}}
	for name, test := range map[string]struct {
		claims  map[string]any
		role    bool   // a role is required, and else the claim
		claim   string // the path of the claim
		part    string // of the reason
		another bool   // the reason is the usual one
	}{
		"groups are elsewhere":                 {map[string]any{"_claim_names": groups, "_claim_sources": sources}, true, "", "the user has too many", false},
		"hasgroups":                            {map[string]any{"hasgroups": true}, true, "", "the user has too many", false},
		"hasgroups as text":                    {map[string]any{"hasgroups": "true"}, true, "", "the user has too many", false},
		"a claim of groups":                    {map[string]any{"_claim_names": groups}, false, "groups", "the user has too many", false},
		"another claim that is elsewhere":      {map[string]any{"_claim_names": map[string]any{"address": "src1"}}, false, "address.country", "elsewhere (_claim_names)", false},
		"no groups elsewhere, for a role":      {map[string]any{"_claim_names": map[string]any{"address": "src1"}}, true, "", "", true},
		"groups elsewhere, for another claim":  {map[string]any{"_claim_names": groups, "hasgroups": true}, false, "department", "", true},
		"hasgroups that is false":              {map[string]any{"hasgroups": false}, true, "", "", true},
		"names that are a list":                {map[string]any{"_claim_names": []any{"groups"}}, true, "", "", true},
		"a token that has nothing of the kind": {map[string]any{}, true, "", "", true},
	} {
		t.Run("R9457-3: "+name, func(t *testing.T) {
			q := Requirement{Roles: []string{"ops"}}
			if !test.role {
				q = Requirement{Claims: []Claim{{Path: test.claim, Values: []string{"ops"}}}}
			}
			got := decide(t, q, nil, &authn.Identity{Claims: authn.ClaimsOf(test.claims)})
			if got.Allowed || !strings.Contains(got.Reason.Error(), test.part) || test.another == strings.Contains(got.Reason.Error(), ":") {
				t.Errorf("allowed %t, reason %v", got.Allowed, got.Reason)
			}
		})
	}
}

// TestOrderOfRules: what a client can do something about is asked first.
func TestOrderOfRules(t *testing.T) {
	full := Requirement{
		Session: Session{ACR: []string{"gold"}}, Scopes: []string{"s"}, Roles: []string{"r"}, Users: []string{"u"},
		Claims: []Claim{{Path: "c", Values: []string{"1"}}}, If: `false`,
	}
	caller := &authn.Identity{Claims: authn.ClaimsOf(map[string]any{})}
	for _, step := range []struct {
		name string
		code authn.Code
		miss string
		cure func()
	}{
		{"O-1 R9470-1: the login", authn.CodeInsufficientSession, "acr", func() { caller.Claims.All()["acr"] = "gold" }},
		{"O-1 R6750-9: scopes", authn.CodeInsufficientScope, "s", func() { caller.Scopes = []string{"s"} }},
		{"O-1: roles", authn.CodeInsufficientRole, "r", func() { caller.Roles = []string{"r"} }},
		{"O-1: the user", authn.CodeAccessDenied, "user", func() { caller.ID = "u" }},
		{"O-1: claims", authn.CodeAccessDenied, "claim c", func() { caller.Claims.All()["c"] = "1" }},
		{"O-1: the condition", authn.CodeAccessDenied, "if", func() { full.If = "" }},
	} {
		t.Run(step.name, func(t *testing.T) {
			got := decide(t, full, nil, caller)
			if got.Code != step.code || strings.Join(got.Missing, " ") != step.miss {
				t.Errorf("%+v", got)
			}
		})
		step.cure()
	}
	t.Run("O-1: then nothing is left", func(t *testing.T) {
		if got := decide(t, full, nil, caller); !got.Allowed {
			t.Errorf("%+v", got)
		}
	})
	t.Run("O-2: the zero value of an answer denies", func(t *testing.T) {
		if new(Decision).Allowed {
			t.Error("it allows")
		}
	})
}
