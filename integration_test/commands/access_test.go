package commands

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// runTests runs the cases of testdata/access against a configuration.
func runTests(t *testing.T, caddyfile string, flags ...string) (code int, output string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/access")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(caddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("caddy", append([]string{"auth", "test", "access.test"}, flags...)...)
	command.Dir = dir
	text, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit != nil {
		return exit.ExitCode(), string(text) + string(exit.Stderr)
	}
	return 0, string(text)
}

// TestPlantedMistakes changes one line of a configuration at a time. Each change
// opens a way in or locks a caller out, and the cases find it.
func TestPlantedMistakes(t *testing.T) {
	content, err := os.ReadFile("testdata/access/Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	sound := string(content)
	if code, output := runTests(t, sound, "--coverage"); code != 0 || !strings.Contains(output, "coverage: 100.0%") {
		t.Fatalf("the configuration without a mistake: exit code %d\n%s", code, output)
	}
	for name, change := range map[string]struct{ old, new, finds string }{
		"a gate is missing":               {"\trequire_auth @profile corp legacy\n", "", "anonymous GET /me "},
		"a path without its subtree":      {"path /me /me/*", "path /me", "anonymous GET /me/photo"},
		"a subtree without its path":      {"path /me /me/*", "path /me/*", "anonymous GET /me "},
		"a path that goes by case":        {"path /me /me/*", "path_regexp ^/me(/.*)?$", "anonymous GET /ME"},
		"a typing error in a path":        {"require_auth /things/*", "require_auth /thing/*", "anonymous GET    /things/1"},
		"a scheme too many":               {"@profile corp legacy", "@profile corp legacy partners", "partner GET /me"},
		"a scheme that is forgotten":      {"/things/* corp partners", "/things/* corp", "partner GET /things/1"},
		"any audience":                    {"audience    https://api.example.com\n\t\t\trole_claims", "audience *\n\t\t\trole_claims", "stranger GET /me"},
		"another audience":                {"audience    https://api.example.com\n\t\t\trole_claims", "audience https://other.example.com\n\t\t\trole_claims", "alice GET /me"},
		"another issuer":                  {"https://idp.example.com", "https://idp.example.org", "alice GET /me"},
		"another claim with roles":        {"realm_access.roles", "roles", "admin GET /admin/users"},
		"scopes that imply the wrong way": {"admin things:read", "things:read admin", "alice GET /admin/users"},
		"a scope that is not asked":       {"\t\tscope things:read\n", "", "weak GET /things/1"},
		"the wrong scope":                 {"scope things:write", "scope things:read", "admin DELETE /things/1"},
		"methods that are named":          {"not method GET HEAD", "method POST PUT", "admin DELETE /things/1"},
		"one scope of several":            {"scope admin\n\t\trole  operator", "any_scope admin things:read\n\t\trole  operator", "alice GET /admin/users"},
		"a role that is not asked":        {"\t\trole  operator\n", "", "clerk GET /admin/users"},
		"another value of a claim":        {"claim tenant blue", "claim tenant green", "alice GET /tenants/blue"},
		"a login of any strength and age": {"\t\tacr     silver\n\t\tmax_age 10m\n", "\t\tacr silver\n", "alice GET /bank/account"},
		"another user":                    {"user alice", "user carl", "alice GET /reports/1"},
		"a condition that always holds":   {"== \"/own/\" + user", "!= user", "clerk GET /own/alice"},
		"a gate that is optional":         {"require_auth /reports/* corp {", "require_auth /reports/* corp {\n\t\toptional", "anonymous GET /reports/1"},
		"a gate that is no longer":        {"\t\toptional\n", "", "anonymous GET /news"},
		"a denial that shows itself":      {"\t\thide\n", "", "alice GET /secret/plan"},
		"a handler in front of a gate":    {"require_auth /reports/* corp {\n\t\tuser alice\n\t}", "route {\n\t\trequire_auth /reports/* corp\n\t}", "anonymous GET /reports/1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			changed := strings.Replace(sound, change.old, change.new, 1)
			if changed == sound {
				t.Fatal("the change fits nowhere")
			}
			code, output := runTests(t, changed)
			if finding := "--- FAIL: " + strings.Join(strings.Fields(change.finds), " ") + " ("; code != 1 || !strings.Contains(output, finding) {
				t.Errorf("exit code %d, want 1 and %q\n%s", code, finding, output)
			}
		})
	}
}
