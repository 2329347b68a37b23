package authz

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestClaims(t *testing.T) {
	claims := map[string]any{
		"text": "acme", "empty": "", "yes": true, "no": false, "seven": int64(7), "big": int64(9007199254740993), "negative": int64(-1),
		"half": 0.5, "whole": 2.0, "huge": 1e21, "null": nil, "object": map[string]any{"a": "b"},
		"list": []any{"a", int64(1), true, nil, []any{"deep"}, map[string]any{"a": "b"}}, "nothing": []any{},
		"realm_access":              map[string]any{"roles": []any{"operator"}, "a.b": "dotted"},
		"https://example.com/roles": []any{"admin"}, "a": map[string]any{"b": map[string]any{"c": "nested"}}, "a.b": "flat",
	}
	for name, tc := range map[string]struct {
		path, values string
		met          bool
	}{
		"a string":                              {"text", "acme", true},
		"one of several values":                 {"text", "other acme", true},
		"another string":                        {"text", "acm acme2 ACME", false},
		"an empty string":                       {"empty", "x", false},
		"true":                                  {"yes", "true", true},
		"false":                                 {"no", "false", true},
		"another truth":                         {"yes", "false TRUE 1", false},
		"an integer":                            {"seven", "7", true},
		"an integer as it is not spelled":       {"seven", "7.0 07 +7 7e0", false},
		"an integer that no float holds":        {"big", "9007199254740993", true},
		"its neighbour":                         {"big", "9007199254740992", false},
		"a negative integer":                    {"negative", "-1", true},
		"a fraction":                            {"half", "0.5", true},
		"another fraction":                      {"half", "0 1 .5 0.50 5e-1", false},
		"a float that is whole":                 {"whole", "2", true},
		"a number that has lost digits":         {"huge", "1000000000000000000000", false},
		"null":                                  {"null", "null <nil> nil", false},
		"missing":                               {"missing", "null <nil>", false},
		"an object":                             {"object", "map[a:b] b a", false},
		"a member of a list":                    {"list", "a", true},
		"a number in a list":                    {"list", "1", true},
		"a truth in a list":                     {"list", "true", true},
		"null in a list":                        {"list", "null <nil>", false},
		"a list in a list":                      {"list", "deep", false},
		"an object in a list":                   {"list", "b map[a:b]", false},
		"an empty list":                         {"nothing", "a", false},
		"a path":                                {"realm_access.roles", "operator", true},
		"a path that ends too early":            {"realm_access", "operator", false},
		"a path that goes on":                   {"text.more", "acme", false},
		"a name with dots":                      {"https://example.com/roles", "admin", true},
		"a path to a name with dots":            {"realm_access.a.b", "dotted", true},
		"the longest name decides":              {"a.b", "flat", true},
		"and a deeper path still finds its way": {"a.b.c", "nested", true},
		"a dot at the end":                      {"text.", "acme", false},
		"a dot in front":                        {".text", "acme", false},
	} {
		t.Run("R6750-12: "+name, func(t *testing.T) {
			q := Requirement{Claims: []Claim{{Path: tc.path, Values: strings.Fields(tc.values)}}}
			got := decide(t, q, nil, &authn.Identity{Claims: authn.ClaimsOf(claims)})
			if got.Allowed != tc.met {
				t.Fatalf("allowed %t", got.Allowed)
			}
			if !got.Allowed && (got.Code != authn.CodeAccessDenied || strings.Join(got.Missing, "") != "claim "+tc.path || got.RequiredScopes != nil || got.RequiredRoles != nil) {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("R6750-12: all of several claims", func(t *testing.T) {
		both := Requirement{Claims: []Claim{{"text", []string{"acme"}}, {"yes", []string{"true"}}}}
		if !decide(t, both, nil, &authn.Identity{Claims: authn.ClaimsOf(claims)}).Allowed {
			t.Error("both hold")
		}
		both.Claims[1].Values = []string{"false"}
		if decide(t, both, nil, &authn.Identity{Claims: authn.ClaimsOf(claims)}).Allowed {
			t.Error("one does not hold")
		}
	})
	t.Run("R6750-12: an anonymous caller has no claims", func(t *testing.T) {
		if decide(t, Requirement{Claims: []Claim{{"text", []string{"acme"}}}}, nil, &authn.Identity{}).Allowed {
			t.Error("allowed")
		}
	})
}
