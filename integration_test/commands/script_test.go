// Package commands runs the commands below `caddy auth` the way a user does:
// another process, with files, arguments and an exit code.
package commands

import (
	"errors"
	"flag"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

var update = flag.Bool("update", false, "write what the commands print into the scripts")

func TestMain(m *testing.M) { harness.Main(m) }

// TestScripts has a script for each command: files, commands and what they
// print.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata", UpdateScripts: *update, RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir) // where Caddy would look for its state
			return nil
		},
	})
}

// TestExitCodes has the codes that a script in CI goes by.
func TestExitCodes(t *testing.T) {
	for name, c := range map[string]struct {
		code      int
		arguments []string
	}{
		"routes that are open":       {2, []string{"routes", "--config", "testdata/open.json", "--fail-on-open"}},
		"open routes that may be":    {0, []string{"routes", "--config", "testdata/open.json", "--fail-on-open", "--allow", "/*"}},
		"routes to look at":          {0, []string{"routes", "--config", "testdata/open.json"}},
		"routes without a file":      {1, []string{"routes", "--config", "testdata/none.json"}},
		"notes":                      {0, []string{"lint", "--config", "testdata/open.json"}},
		"notes that count":           {2, []string{"lint", "--config", "testdata/open.json", "--strict"}},
		"notes that are left out":    {0, []string{"lint", "--config", "testdata/open.json", "--strict", "--allow", "open-beside-guarded"}},
		"a rule that there is not":   {1, []string{"lint", "--config", "testdata/open.json", "--allow", "none"}},
		"a prefix that is none":      {1, []string{"new-key", "--prefix", "a b"}},
		"an argument too many":       {1, []string{"routes", "Caddyfile"}},
		"a document that is missing": {1, []string{"openapi", "--config", "testdata/open.json", "--document", "testdata/none.json"}},
		"an unknown command":         {1, []string{"lnt"}},
		"no command":                 {0, nil},
		"no key to hash":             {1, []string{"hash-key"}},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := exec.Command("caddy", append([]string{"auth"}, c.arguments...)...).CombinedOutput()
			code := 0
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				code = exit.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if code != c.code {
				t.Errorf("exit code %d, want %d\n%s", code, c.code, output)
			}
		})
	}
}
