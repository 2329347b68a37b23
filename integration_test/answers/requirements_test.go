package answers

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestRequirements has a gate for each line that requires something.
func TestRequirements(t *testing.T) {
	gates := map[string]string{
		"scope": "scope read write", "any": "any_scope reports:read reports:write", "mix": "scope read\nany_scope a b", "implied": "scope read",
		"low": "scope low", "role": "role a b", "oneof": "any_role a b", "tenant": "claim tenant acme other", "number": "claim level 3 4.5", "flag": "claim verified true",
		"nested": "claim org.unit.name core", "dotted": "claim https://example.com/roles boss", "claims": "claim tenant acme\nclaim level 3", "user": "user alice bob",
		"ifclaim": "if claims.tenant == \"acme\"", "ifdeep": "if `claims.org.unit.name == \"core\"`", "ifnumber": "if `claims.level >= 3`", "ifscope": "if `\"read\" in scopes`",
		"ifrole": "if `\"team-a\" in roles`", "ifuser": "if `user == \"bob\"`", "ifplace": "if `{http.auth.user.id} == \"bob\"`",
		"ifpath": "if `path(\"/ifpath/*\") && method(\"POST\")`", "iflist": "if `\"a\" in claims.groups`", "ifhas": "if `!has(claims.tenant) || claims.tenant == \"acme\"`",
		"ifnonsense": "if `claims.tenant.x.y == 1`", "ifcomment": "if `true // all of them`",
	}
	var lines strings.Builder
	for name, gate := range gates {
		lines.WriteString("require_auth /" + name + "* {\n" + gate + "\n}\n")
	}
	lines.WriteString("respond ok")
	s := harness.Start(t, configure("", "scope_implies admin read write\nscope_implies read low\nscope_implies root admin\nbearer corp {"+harness.BearerLines+"}", lines.String()))
	ok := func(path string, claims harness.Claims) (string, harness.Claims, string) { return path, claims, "" }
	no := func(path, code string, claims harness.Claims) (string, harness.Claims, string) {
		return path, claims, code
	}
	type row struct {
		path   string
		claims harness.Claims
		code   string
	}
	asRow := func(path string, claims harness.Claims, code string) row { return row{path, claims, code} }
	const scope, role, denied = "insufficient_scope", "insufficient_role", "access_denied"
	unit := func(name any) harness.Claims {
		return harness.Claims{"org": map[string]any{"unit": map[string]any{"name": name}}}
	}
	for id, rows := range map[string][]row{
		"R6750-11: scope and any_scope": {
			asRow(ok("scope", harness.Claims{"scope": "write read"})), asRow(no("scope", scope, harness.Claims{"scope": "read"})), asRow(ok("scope", harness.Claims{"scp": []string{"read", "write"}})),
			asRow(ok("any", harness.Claims{"scope": "reports:write"})), asRow(no("any", scope, harness.Claims{"scope": "reports"})),
			asRow(ok("mix", harness.Claims{"scope": "read b"})), asRow(no("mix", scope, harness.Claims{"scope": "a b"})), asRow(no("mix", scope, harness.Claims{"scope": "read"})),
			asRow(no("scope", scope, harness.Claims{"scope": 7})), asRow(no("scope", scope, harness.Claims{"scope": map[string]any{"read": true, "write": true}})),
		},
		"MCP-5: scope_implies, directly and through others": {
			asRow(ok("implied", harness.Claims{"scope": "admin"})), asRow(ok("scope", harness.Claims{"scope": "admin"})), asRow(ok("low", harness.Claims{"scope": "admin"})),
			asRow(ok("low", harness.Claims{"scope": "root"})), asRow(ok("low", harness.Claims{"scope": "read"})), asRow(no("low", scope, harness.Claims{"scope": "write"})),
			asRow(no("implied", scope, harness.Claims{"scope": "low"})), asRow(no("any", scope, harness.Claims{"scope": "root"})), asRow(no("implied", scope, harness.Claims{"scope": "ADMIN"})),
		},
		"R6750-12: role and any_role": {
			asRow(ok("role", harness.Claims{"roles": []string{"b", "a"}})), asRow(no("role", role, harness.Claims{"roles": "a"})), asRow(no("role", role, harness.Claims{"roles": "a b"})),
			asRow(ok("oneof", harness.Claims{"groups": []string{"b"}})), asRow(ok("oneof", harness.Claims{"realm_access": map[string]any{"roles": []string{"a"}}})),
			asRow(no("oneof", role, harness.Claims{"roles": []string{"A"}})), asRow(no("oneof", role, nil)), asRow(no("role", role, harness.Claims{"scope": "a b"})),
		},
		"R6750-12: claims of every type": {
			asRow(ok("tenant", harness.Claims{"tenant": "acme"})), asRow(ok("tenant", harness.Claims{"tenant": []string{"x", "other"}})), asRow(no("tenant", denied, harness.Claims{"tenant": "Acme"})),
			asRow(no("tenant", denied, nil)), asRow(no("tenant", denied, harness.Claims{"tenant": map[string]any{"acme": true}})), asRow(no("tenant", denied, harness.Claims{"tenant": []any{[]any{"acme"}}})),
			asRow(ok("number", harness.Claims{"level": 3})), asRow(ok("number", harness.Claims{"level": 4.5})), asRow(no("number", denied, harness.Claims{"level": 33})), asRow(ok("number", harness.Claims{"level": []int{9, 3}})),
			asRow(ok("flag", harness.Claims{"verified": true})), asRow(no("flag", denied, harness.Claims{"verified": false})),
			asRow(ok("nested", unit("core"))), asRow(no("nested", denied, unit("x"))), asRow(no("nested", denied, harness.Claims{"org": "core"})), asRow(ok("nested", harness.Claims{"org.unit.name": "core"})),
			asRow(ok("dotted", harness.Claims{"https://example.com/roles": []string{"boss"}})), asRow(no("dotted", denied, harness.Claims{"https://example": map[string]any{"com": "boss"}})),
			asRow(ok("claims", harness.Claims{"tenant": "acme", "level": 3})), asRow(no("claims", denied, harness.Claims{"tenant": "acme"})),
		},
		"R6750-12: user": {
			asRow(ok("user", nil)), asRow(ok("user", harness.Claims{"sub": "bob"})), asRow(no("user", denied, harness.Claims{"sub": "Alice"})), asRow(no("user", denied, harness.Claims{"sub": nil})),
			asRow(no("user", denied, harness.Claims{"client_id": "alice"})), // the client alice, and no user
		},
		"R6750-12: conditions": {
			asRow(ok("ifclaim", harness.Claims{"tenant": "acme"})), asRow(no("ifclaim", denied, harness.Claims{"tenant": "x"})), asRow(no("ifclaim", denied, nil)), asRow(no("ifclaim", denied, harness.Claims{"tenant": 7})),
			asRow(ok("ifdeep", unit("core"))), asRow(no("ifdeep", denied, nil)), asRow(no("ifdeep", denied, harness.Claims{"org": "x"})),
			asRow(ok("ifnumber", harness.Claims{"level": 3})), asRow(no("ifnumber", denied, harness.Claims{"level": 2})), asRow(no("ifnumber", denied, harness.Claims{"level": "3"})),
			asRow(ok("ifscope", harness.Claims{"scope": "x read"})), asRow(no("ifscope", denied, harness.Claims{"scope": "reader"})), asRow(no("ifscope", denied, nil)),
			asRow(ok("ifrole", harness.Claims{"roles": []string{"x", "team-a"}})), asRow(no("ifrole", denied, nil)),
			asRow(ok("ifuser", harness.Claims{"sub": "bob"})), asRow(no("ifuser", denied, nil)), asRow(ok("ifplace", harness.Claims{"sub": "bob"})), asRow(no("ifplace", denied, nil)),
			asRow(no("ifplace", denied, harness.Claims{"sub": nil})), asRow(no("ifpath/x", denied, nil)), asRow(ok("iflist", harness.Claims{"groups": []string{"a"}})), asRow(no("iflist", denied, nil)),
			asRow(ok("ifhas", nil)), asRow(no("ifhas", denied, harness.Claims{"tenant": "x"})), asRow(no("ifnonsense", denied, nil)), asRow(ok("ifcomment", nil)),
			asRow(no("ifuser", denied, harness.Claims{"sub": `bob" || "a" == "a`})), asRow(no("ifplace", denied, harness.Claims{"sub": `{http.request.method}`})),
		},
	} {
		t.Run(id, func(t *testing.T) {
			for _, row := range rows {
				r := s.Get("/"+row.path, tokenWithClaims(t, row.claims))
				status, code := 403, row.code
				if code == "" {
					status = 200
				}
				if r.Status != status || code != "" && problem(t, r).Code != code {
					t.Errorf("/%s with %v: %d %s, want %d %s", row.path, row.claims, r.Status, r.Body, status, code)
				}
			}
		})
	}
	t.Run("R6750-12: a condition reads the request too", func(t *testing.T) {
		want(t, s.Do("POST", s.URL("/ifpath/x"), harness.Bearer(harness.Token(t))), 200, "")
		want(t, s.Do("POST", s.URL("/ifpath"), harness.Bearer(harness.Token(t))), 403, denied)
	})
	t.Run("R6750-9: of alternatives the challenge names the first, the body all", func(t *testing.T) {
		p := want(t, s.Get("/any", harness.Bearer(harness.Token(t))), 403, scope,
			`Bearer realm="api", error="insufficient_scope", scope="reports:read", error_description="The access token lacks a required scope"`)
		if got := strings.Join(p.RequiredScopes, " "); got != "reports:read reports:write" {
			t.Errorf("required %q", got)
		}
		want(t, s.Get("/mix"), 401, "missing_credentials", bare+`, scope="read a"`)
	})
	t.Run("O-2: a condition that cannot be compiled is refused at load", func(t *testing.T) {
		for _, condition := range []string{"`claims.`", "`nobody == 1`", "`true)) || (true`", "`1 + 1`"} {
			if err := s.TryReload(bearerSite("require_auth {\nif " + condition + "\n}\nrespond ok")); err == nil {
				t.Errorf("%s was accepted", condition)
			}
		}
	})
}

// TestLists has conditions that look into lists.
func TestLists(t *testing.T) {
	for name, condition := range map[string]string{
		"roles": `roles.exists(r, r.startsWith("team-"))`, "scopes": `scopes.exists(s, s == "read") && size(scopes) == 2`,
		"claims": `claims.groups.all(g, g != "")`, "user": `user.startsWith("ali") && user.size() == 5`,
	} {
		t.Run("R6750-12: a condition about "+name, func(t *testing.T) {
			s := harness.Start(t, bearerSite("require_auth {\nif `"+condition+"`\n}\nrespond ok"))
			wantPassed(t, s.Get("/", tokenWithClaims(t, harness.Claims{"groups": []string{"team-a"}, "scope": "read x"})), "ok")
			want(t, s.Get("/", tokenWithClaims(t, harness.Claims{"groups": []string{""}, "sub": "bob"})), 403, "access_denied")
		})
	}
}
