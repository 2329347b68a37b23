// Package configuration tests Caddyfiles and the JSON that they become. It tests
// refused ones with the position of the error, and the effect of a new configuration on
// a running Caddy.
//
// After an intended change of what Caddyfiles become, or of an error:
//
//	go test ./integration_test/configuration -update
//
// and read the difference.
package configuration

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

func init() { keyset.SetFirstWait(time.Second) }

var update = flag.Bool("update", false, "rewrite the expected parts of testdata")

func TestMain(m *testing.M) {
	_ = os.Unsetenv("JWT_SECRET") // Caddyfile.example has a default for it
	harness.Main(m)
}

// separator stands between a Caddyfile and what is expected of it.
const separator = "\n----------\n"

// testCase is a file of testdata: a Caddyfile and what becomes of it.
type testCase struct{ path, name, caddyfile, want string }

func readCases(t *testing.T, folder string) []testCase {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", folder, err)
	}
	cases := make([]testCase, len(paths))
	for i, path := range paths {
		before, after, found := strings.Cut(harness.ReadFile(t, path), separator)
		if !found && !*update {
			t.Fatalf("%s has no line of dashes", path)
		}
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		cases[i] = testCase{path: path, name: name, caddyfile: strings.TrimSuffix(before, "\n") + "\n", want: strings.TrimSpace(after)}
	}
	return cases
}

// compare holds what became of a case against the file, or rewrites that
// unless something else is wrong with it.
func (c testCase) compare(t *testing.T, got string) {
	t.Helper()
	if *update && !t.Failed() {
		write(t, c.path, strings.TrimSuffix(c.caddyfile, "\n")+separator+got+"\n")
		return
	}
	if got != c.want {
		t.Errorf("%s\n got %s\nwant %s", c.path, got, c.want)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// adapt turns a Caddyfile into indented JSON.
func adapt(t *testing.T, caddyfile string) string {
	t.Helper()
	config, err := harness.Adapt(caddyfile)
	if err != nil {
		t.Fatalf("adapting: %v", err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, config, "", "  "); err != nil {
		t.Fatal(err)
	}
	return indented.String()
}
