package authz

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestUsers(t *testing.T) {
	q := Requirement{Users: []string{"alice", "bob"}}
	for name, tc := range map[string]struct {
		caller authn.Identity
		met    bool
	}{
		"R6750-12: the first":                                 {authn.Identity{ID: "alice"}, true},
		"R6750-12: the last":                                  {authn.Identity{ID: "bob"}, true},
		"R6750-12: another":                                   {authn.Identity{ID: "mallory"}, false},
		"R6750-12: another letter case":                       {authn.Identity{ID: "Alice"}, false},
		"R9700-4: nobody":                                     {authn.Identity{}, false},
		"R9700-4: a client of that name is not a user":        {authn.Identity{Client: "alice"}, false},
		"R9700-4: and neither is one whose subject says so":   {authn.Identity{Client: "alice", Claims: authn.ClaimsOf(map[string]any{"sub": "alice"})}, false},
		"R9700-4: a user by way of a client is that user":     {authn.Identity{ID: "alice", Client: "app"}, true},
		"R6750-12: an issuer does not make a user of another": {authn.Identity{ID: "x", Issuer: "alice"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := decide(t, q, nil, &tc.caller)
			if got.Allowed != tc.met {
				t.Fatalf("allowed %t", got.Allowed)
			}
			if !got.Allowed && (got.Code != authn.CodeAccessDenied || strings.Join(got.Missing, "") != "user") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestCondition(t *testing.T) {
	alice := &authn.Identity{
		ID: "alice", Scopes: []string{"read"}, Roles: []string{"ops"},
		Claims: authn.ClaimsOf(map[string]any{"department": "sales", "level": int64(7), "admin": false, "groups": []any{"a", "b"}, "realm_access": map[string]any{"roles": []any{"x"}}}),
	}
	for expression, met := range map[string]bool{
		`true`:                                      true,
		`false`:                                     false,
		`user == "alice"`:                           true,
		`user == "bob"`:                             false,
		`{http.auth.user.id} == "alice"`:            true,
		`"read" in scopes`:                          true,
		`"write" in scopes`:                         false,
		`"ops" in roles`:                            true,
		`claims.department == "sales"`:              true,
		`claims["department"] == "it"`:              false,
		`claims.level >= 7`:                         true,
		`claims.level > 7`:                          false,
		`claims.groups.exists(g, g == "b")`:         true,
		`"x" in claims.realm_access.roles`:          true,
		`has(claims.missing)`:                       false,
		`claims.missing == "x"`:                     false,
		`claims.missing != "x"`:                     false, // it fails, and so denies
		`!(claims.missing == "x")`:                  false,
		`claims.department > 3`:                     false,
		`claims.admin == false`:                     true,
		`path("/reports/*")`:                        true,
		`path("/other/*")`:                          false,
		`method("GET") && user == "alice"`:          true,
		"user == \"alice\" // and a comment":        true,
		"user == \"bob\" // or true":                false,
		"user == \"bob\" ||\n\"read\" in scopes":    true,
		`cel.bind(user, "bob", user == "bob")`:      true,
		`{http.request.uri.path} == "/reports/7"`:   true,
		`{http.request.header.X-None} == "a value"`: false,
	} {
		t.Run("O-2 R6750-12: "+expression, func(t *testing.T) {
			got := decide(t, Requirement{If: expression}, nil, alice)
			if got.Allowed != met {
				t.Fatalf("allowed %t: %v", got.Allowed, got.Reason)
			}
			if !got.Allowed && (got.Code != authn.CodeAccessDenied || strings.Join(got.Missing, "") != "if") {
				t.Errorf("%+v", got)
			}
		})
	}
	for _, expression := range []string{
		`user ==`, `nobody == "alice"`, `"alice"`, `1`, `claims.admin`, `user == "alice")`, `(user == "alice"`,
		`user == "alice") || (true`, // in brackets of our own it would be an expression
	} {
		t.Run("O-2: at load is refused "+expression, func(t *testing.T) {
			ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
			defer cancel()
			q := Requirement{If: expression}
			if err := q.Provision(ctx, nil); err == nil {
				t.Error("it was accepted")
			} else if !strings.Contains(err.Error(), expression) {
				t.Errorf("the error does not name it: %v", err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for name, q := range map[string]Requirement{
		"R6750-10: a scope with a quote":              {Scopes: []string{`a"b`}},
		"R6750-10: a scope with a backslash":          {AnyScopes: []string{`a\b`}},
		"R6750-10: a scope with a space":              {Scopes: []string{"a b"}},
		"R6750-10: an empty scope":                    {AnyScopes: []string{"a", ""}},
		"R6750-10: a scope outside ASCII":             {Scopes: []string{"caf\u00e9"}},
		"an empty role":                               {Roles: []string{""}},
		"an empty role of several":                    {AnyRoles: []string{"a", ""}},
		"R9700-4: an empty user, which any client is": {Users: []string{"alice", ""}},
		"a claim without a path":                      {Claims: []Claim{{"", []string{"a"}}}},
		"a claim without values":                      {Claims: []Claim{{"a", nil}}},
		"R9470-2: an acr with a quote":                {Session: Session{ACR: []string{`"`}}},
		"R9470-3: a negative max_age":                 {Session: Session{MaxAge: caddy.Duration(-time.Second)}},
		"R9470-3: a part of a second":                 {Session: Session{MaxAge: caddy.Duration(time.Second / 2)}},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if q.Check() == nil {
				t.Error("it was accepted")
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	for name, tc := range map[string]struct {
		q    Requirement
		want string
	}{
		"nothing": {Requirement{}, ""},
		"one":     {Requirement{Scopes: []string{"read", "write"}}, "scope read write"},
		"everything": {
			Requirement{
				Session: Session{ACR: []string{"gold", "silver"}, MaxAge: caddy.Duration(5 * time.Minute)},
				Scopes:  []string{"a"}, AnyScopes: []string{"b", "c"}, Roles: []string{"d"}, AnyRoles: []string{"e", "f"}, Users: []string{"g"},
				Claims: []Claim{{"h", []string{"i", "j"}}, {"k", []string{"l"}}}, If: `user == "m"`,
			},
			`scope a; any_scope b c; role d; any_role e f; user g; acr gold silver; max_age 5m0s; claim h i j; claim k l; if user == "m"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.q.Describe(); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
}
