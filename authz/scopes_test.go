package authz

import (
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestScopes(t *testing.T) {
	for name, tc := range map[string]struct {
		all, anyOf string
		held       string
		implies    map[string][]string
		missing    string // empty: allowed
	}{
		"R6750-11: none is required":                      {"", "", "", nil, ""},
		"R6750-11: the one":                               {"read", "", "read", nil, ""},
		"R6750-11: in any order, among others":            {"read write", "", "x write y read", nil, ""},
		"R6750-9: none is held":                           {"read", "", "", nil, "read"},
		"R6750-9: one of two":                             {"read write", "", "write", nil, "read"},
		"R6750-11: a longer name":                         {"read", "", "readonly", nil, "read"},
		"R6750-11: a shorter name":                        {"readonly", "", "read", nil, "readonly"},
		"R6750-11: another letter case":                   {"read", "", "READ Read", nil, "read"},
		"R6750-11: a hierarchy without a configuration":   {"read:all", "", "read read:*", nil, "read:all"},
		"R6750-9: any: the first":                         {"", "read write", "read", nil, ""},
		"R6750-9: any: the last":                          {"", "read write", "write", nil, ""},
		"R6750-9: any: none":                              {"", "read write", "x", nil, "read write"},
		"R6750-9: all and any: both hold":                 {"a", "b c", "a c", nil, ""},
		"R6750-9: all and any: only all":                  {"a", "b c", "a", nil, "b c"},
		"R6750-9: all and any: only any":                  {"a", "b c", "c", nil, "a"},
		"MCP-5: what implies it":                          {"read", "", "admin", map[string][]string{"admin": {"read"}}, ""},
		"MCP-5: what it implies":                          {"admin", "", "read", map[string][]string{"admin": {"read"}}, "admin"},
		"MCP-5: through others":                           {"d", "", "a", map[string][]string{"a": {"x", "b"}, "b": {"c"}, "c": {"d"}}, ""},
		"MCP-5: in a circle":                              {"c", "", "a", map[string][]string{"a": {"b"}, "b": {"a", "c"}}, ""},
		"MCP-5: in a circle without it":                   {"c", "", "a", map[string][]string{"a": {"b"}, "b": {"a"}}, "c"},
		"MCP-5: that implies itself":                      {"a", "", "b", map[string][]string{"a": {"a"}}, "a"},
		"MCP-5: one of several that imply it":             {"read", "", "y", map[string][]string{"x": {"read"}, "y": {"read"}}, ""},
		"MCP-5: all by one":                               {"read write", "", "admin", map[string][]string{"admin": {"read", "write"}}, ""},
		"MCP-5: any, implied":                             {"", "x read", "admin", map[string][]string{"admin": {"read"}}, ""},
		"MCP-5: what implies it, in another letter case":  {"read", "", "Admin", map[string][]string{"admin": {"read"}}, "read"},
		"MCP-5: what has the same beginning implies none": {"read", "", "adm administrator", map[string][]string{"admin": {"read"}}, "read"},
	} {
		t.Run(name, func(t *testing.T) {
			q := Requirement{Scopes: strings.Fields(tc.all), AnyScopes: strings.Fields(tc.anyOf)}
			got := decide(t, q, tc.implies, &authn.Identity{Scopes: strings.Fields(tc.held)})
			if strings.Join(got.Missing, " ") != tc.missing || got.Allowed != (tc.missing == "") {
				t.Fatalf("allowed %t, missing %q", got.Allowed, got.Missing)
			}
			if got.Allowed {
				return
			}
			if got.Code != authn.CodeInsufficientScope || !slices.Equal(got.RequiredScopes, strings.Fields(tc.all+" "+tc.anyOf)) || got.RequiredRoles != nil {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestChallengeScopes(t *testing.T) {
	for name, tc := range map[string]struct{ all, anyOf, want string }{
		"R6750-9: nothing":                    {"", "", ""},
		"R6750-9 MCP-4: all":                  {"read write", "", "read write"},
		"R6750-9: of alternatives the first":  {"", "write read", "write"},
		"R6750-9 MCP-4: both":                 {"a b", "c d", "a b c"},
		"R6750-9: the first that is there":    {"a b", "b c", "a b"},
		"LEAK-4: never all the alternatives":  {"", "a b c d", "a"},
		"R6750-9: in the order it is written": {"z y x", "", "z y x"},
	} {
		t.Run(name, func(t *testing.T) {
			q := Requirement{Scopes: strings.Fields(tc.all), AnyScopes: strings.Fields(tc.anyOf)}
			for range 2 { // the first must not spoil the second
				if got := strings.Join(q.ChallengeScopes(), " "); got != tc.want {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			}
			if strings.Join(q.Scopes, " ") != tc.all {
				t.Errorf("the requirement has changed to %q", q.Scopes)
			}
		})
	}
}
