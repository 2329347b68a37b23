package attacks

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// The paths of gates that ask for more than a good token.
const (
	scopeGate, roleGate, claimGate, userGate = "/scope", "/role", "/claim", "/user"

	granted = `"scope":"read"` // in the claims of the helpers
)

// newOffice has a gate for each kind of requirement, and forwards all parts of the
// identity.
func newOffice(t *testing.T) *target {
	t.Helper()
	s := &target{keys: issuerKeys()}
	scheme := "key_file " + s.pem(t, t.TempDir(), "rs", &s.rsa.PublicKey)
	const forwardLines = "\nforward X-Scope {http.auth.user.scope}\nforward X-Roles {http.auth.user.roles}\nforward X-Tenant {http.auth.user.tenant.id}\nforward X-Name {http.auth.user.name}"
	s.guard(t, map[string]gate{
		rsGate:    {scheme, forwardLines},
		scopeGate: {scheme, "scope admin" + forwardLines},
		roleGate:  {scheme, "role operator" + forwardLines},
		claimGate: {scheme, "claim tenant.id acme" + forwardLines},
		userGate:  {scheme, "user alice" + forwardLines},
	})
	return s
}

// lacks wants a 403 that says nothing of what the token has.
func (s *target) lacks(t *testing.T, path, token, code string) {
	t.Helper()
	before := s.reached.Load()
	r := s.Get(path, harness.Bearer(token))
	if r.Status != 403 || r.Problem().Code != code {
		t.Fatalf("status %d %s", r.Status, r.Body)
	}
	if s.reached.Load() != before {
		t.Error("the upstream was reached")
	}
	if challenges := r.Challenges(); code == "insufficient_scope" &&
		!slices.Equal(challenges, []string{`Bearer realm="api", error="insufficient_scope", scope="admin", error_description="The access token lacks a required scope"`}) {
		t.Errorf("challenges %q", challenges)
	}
	s.keepsSilent(t, r, token)
}

// nearly are values that are read as the word by who splits, folds, trims,
// searches or converts where he should compare.
func nearly(word string) map[string]string {
	capital := strings.ToUpper(word[:1]) + word[1:]
	return map[string]string{
		"with a capital":          `"` + capital + `"`,
		"in capitals":             `"` + strings.ToUpper(word) + `"`,
		"longer":                  `"` + word + `s"`,
		"shorter":                 `"` + word[:len(word)-1] + `"`,
		"within a word":           `"super` + word + `"`,
		"with a colon":            `"` + word + `:read"`,
		"with a path":             `"https://api.example.com/` + word + `"`,
		"after a comma":           `"read,` + word + `"`,
		"after a semicolon":       `"read;` + word + `"`,
		"after a plus":            `"read+` + word + `"`,
		"after %20":               `"read%20` + word + `"`,
		"in quotes":               `"\"` + word + `\""`,
		"as JSON in a text":       `"[\"` + word + `\"]"`,
		"after a tab":             `"read\t` + word + `"`,
		"after a line break":      `"read\n` + word + `"`,
		"after CR LF":             `"read\r\n` + word + `"`,
		"after a no-break space":  `"read\u00a0` + word + `"`,
		"after a wide space":      `"read\u3000` + word + `"`,
		"after a line separator":  `"read\u2028` + word + `"`,
		"after NEL":               `"read\u0085` + word + `"`,
		"after NUL":               `"read\u0000` + word + `"`,
		"before NUL":              `"` + word + `\u0000"`,
		"with a joiner":           `"` + word + `\u200d"`,
		"with a soft hyphen":      `"` + word[:2] + `\u00ad` + word[2:] + `"`,
		"in wide letters":         `"` + wide(word) + `"`,
		"with a Cyrillic letter":  `"` + strings.NewReplacer("a", "а", "o", "о").Replace(word) + `"`,
		"a star":                  `"*"`,
		"a regular expression":    `"` + word[:1] + `.*"`,
		"a placeholder":           `"{http.auth.required_scopes}"`,
		"an object":               `{"` + word + `":true}`,
		"an object with a value":  `{"value":"` + word + `"}`,
		"a list in a list":        `[["` + word + `"]]`,
		"objects in a list":       `[{"value":"` + word + `"}]`,
		"two in one of a list":    `["read ` + word + `"]`,
		"by a comma in a list":    `["read,` + word + `"]`,
		"with a capital in lists": `["` + capital + `"]`,
		"a number":                `1`,
		"true":                    `true`,
		"null":                    `null`,
		"empty":                   `""`,
		"an empty list":           `[]`,
		"a list of nothing":       `[null,0,false,""]`,
	}
}

// wide writes ASCII in the full-width forms that normalization turns back.
func wide(word string) string {
	return strings.Map(func(c rune) rune { return c - '!' + '！' }, word)
}

// TestScopes has scopes that are nearly the one that is asked for.
func TestScopes(t *testing.T) {
	s := newOffice(t)
	for _, honest := range []string{`"scope":"read admin"`, `"scope":["read","admin"]`, `"scope":"admin"`, `"scp":["admin"]`} {
		s.accepts(t, scopeGate, forge(`{"alg":"RS256"}`, claimsWith(t, granted, honest), s.rs256))
	}
	for name, value := range nearly("admin") {
		t.Run("R6750-11 R9068-4: scope "+name, func(t *testing.T) {
			token := forge(`{"alg":"RS256"}`, claimsWith(t, granted, `"scope":`+value), s.rs256)
			s.lacks(t, scopeGate, token, "insufficient_scope")
			s.accepts(t, rsGate, token)
			s.says(t, "X-Scope", "admin", func(c rune) bool { return c == ' ' })
		})
	}
	for name, member := range map[string]string{
		"in the plural": `"scopes":"admin"`, "of the client": `"client_scope":"admin"`, "of an authorization": `"authorization_details":[{"type":"admin"}]`,
		"in a member of a member": `"a":{"scope":"admin"}`, "by a path": `"scope.admin":true`, "as a role": `"roles":["admin"]`,
	} {
		t.Run("R9068-4: scope "+name, func(t *testing.T) {
			s.lacks(t, scopeGate, forge(`{"alg":"RS256"}`, claims(member), s.rs256), "insufficient_scope")
		})
	}
}

// TestRoles has roles that are nearly the one that is asked for.
func TestRoles(t *testing.T) {
	s := newOffice(t)
	for _, honest := range []string{`"roles":["operator"]`, `"groups":["a","operator"]`, `"realm_access":{"roles":["operator"]}`} {
		s.accepts(t, roleGate, forge(`{"alg":"RS256"}`, claims(honest), s.rs256))
	}
	for name, value := range nearly("operator") {
		t.Run("R9068-4: role "+name, func(t *testing.T) {
			s.lacks(t, roleGate, forge(`{"alg":"RS256"}`, claims(`"roles":`+value), s.rs256), "insufficient_role")
			s.lacks(t, roleGate, forge(`{"alg":"RS256"}`, claims(`"realm_access":{"roles":`+value+`}`), s.rs256), "insufficient_role")
		})
	}
	for name, member := range map[string]string{
		"in a list of realms": `"realm_access":[{"roles":["operator"]}]`, "of another realm": `"resource_access":{"x":{"roles":["operator"]}}`,
		"as a scope": `"role":"operator"`, "with the realm as text": `"realm_access":"{\"roles\":[\"operator\"]}"`,
	} {
		t.Run("R9068-4: role "+name, func(t *testing.T) {
			s.lacks(t, roleGate, forge(`{"alg":"RS256"}`, claims(member), s.rs256), "insufficient_role")
		})
	}
}

// TestClaims has claims and users that are nearly the ones that are asked for.
func TestClaims(t *testing.T) {
	s := newOffice(t)
	for _, honest := range []string{`"tenant":{"id":"acme"}`, `"tenant":{"id":["other","acme"]}`, `"tenant.id":"acme"`} {
		s.accepts(t, claimGate, forge(`{"alg":"RS256"}`, claims(honest), s.rs256))
	}
	for name, value := range nearly("acme") {
		t.Run("a claim "+name, func(t *testing.T) {
			s.lacks(t, claimGate, forge(`{"alg":"RS256"}`, claims(`"tenant":{"id":`+value+`}`), s.rs256), "access_denied")
		})
	}
	for name, member := range map[string]string{
		"above its place": `"tenant":"acme"`, "in a list of objects": `"tenant":[{"id":"acme"}]`, "without its place": `"id":"acme"`,
		"with a capital in the path": `"Tenant":{"id":"acme"}`, "with a capital in its name": `"tenant":{"ID":"acme"}`,
		"by a slash": `"tenant/id":"acme"`, "deeper": `"tenant":{"id":{"id":"acme"}}`, "by an empty name": `"tenant":{"":{"id":"acme"}}`,
		"where a longer name decides": `"tenant.id":"other","tenant":{"id":"acme"}`,
	} {
		t.Run("a claim "+name, func(t *testing.T) {
			s.lacks(t, claimGate, forge(`{"alg":"RS256"}`, claims(member), s.rs256), "access_denied")
		})
	}
	s.accepts(t, userGate, forge(`{"alg":"RS256"}`, claims(), s.rs256))
	for name, subject := range map[string]string{
		"with a capital": `"sub":"Alice"`, "with a space": `"sub":"alice "`, "by mail": `"sub":"alice@evil.example"`, "longer": `"sub":"alices"`,
		"in a directory": `"sub":"cn=alice"`, "empty": `"sub":""`, "in Cyrillic": `"sub":"аlice"`, "with an accent that joins": `"sub":"alice\u0301"`,
		"by another claim": `"sub":"bob","preferred_username":"alice","user":"alice","name":"alice"`, "that is a client": `"sub":"alice","client_id":"alice"`,
	} {
		t.Run("R9700-4: a user "+name, func(t *testing.T) {
			s.lacks(t, userGate, forge(`{"alg":"RS256"}`, claimsWith(t, `"sub":"alice"`, subject), s.rs256), "access_denied")
		})
	}
}

// says looks for a word that the upstream must not read out of a field.
func (s *target) says(t *testing.T, field, word string, separates func(rune) bool) {
	t.Helper()
	for _, value := range s.fields.Load().(http.Header)[field] {
		if slices.Contains(strings.FieldsFunc(value, separates), word) {
			t.Errorf("the upstream is told %s: %q", field, value)
		}
	}
}

// TestForwardedIdentity has claims that would mean something in a field of the request, and
// none of them may bring a control character there.
func TestForwardedIdentity(t *testing.T) {
	s := newOffice(t)
	s.accepts(t, rsGate, forge(`{"alg":"RS256"}`, claims(`"name":"Alice"`, `"roles":["a","b"]`), s.rs256))
	if fields := s.fields.Load().(http.Header); fields.Get("X-Name") != "Alice" || fields.Get("X-Roles") != "a,b" || fields.Get("X-Scope") != "read" {
		t.Fatalf("the upstream is told %v, so this proves nothing", fields)
	}
	for name, control := range map[string]string{
		"NUL": `\u0000`, "a line break": `\n`, "a carriage return": `\r`, "CR LF and a field": `\r\nX-Admin: 1`, "a tab": `\t`, "an escape": `\u001b[31m`,
		"DEL": `\u007f`, "a backspace": `\b`, "a form feed": `\f`, "a vertical tab": `\u000b`, "BEL": `\u0007`, "a unit separator": `\u001f`,
	} {
		for location, member := range map[string]string{
			"name": `"name":"a` + control + `b"`, "roles": `"roles":["a` + control + `b"]`, "tenant": `"tenant":{"id":"a` + control + `b"}`, "scp": `"scp":["a` + control + `b"]`,
			"an object": `"name":{"a` + control + `b":"c` + control + `d"}`, "a list": `"name":["x","a` + control + `b"]`,
		} {
			t.Run("R9700-3: "+name+" in "+location, func(t *testing.T) {
				s.accepts(t, rsGate, forge(`{"alg":"RS256"}`, claims(member), s.rs256))
				for field, values := range s.fields.Load().(http.Header) {
					if strings.ContainsFunc(strings.Join(values, ""), func(c rune) bool { return c < ' ' || c == 0x7f }) || field == "X-Admin" {
						t.Errorf("the upstream is told %s: %q", field, values)
					}
				}
			})
		}
	}
}
