package browser

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestLockFile holds what the scripts depend on to exact versions, with digests
// and without the name of a registry. It is what can be tested here with Go
// alone.
func TestLockFile(t *testing.T) {
	t.Log("left to CI: the tests in Chromium (go test -tags browser ./integration_test/browser)")
	var manifest struct{ Dependencies map[string]string }
	decode(t, "package.json", &manifest)
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	decode(t, "package-lock.json", &lock)
	if len(manifest.Dependencies) == 0 {
		t.Error("there are no dependencies")
	}
	exact := regexp.MustCompile(`^\d+\.\d+\.\d+$`)
	for name, version := range manifest.Dependencies {
		if locked := lock.Packages["node_modules/"+name].Version; !exact.MatchString(version) || locked != version {
			t.Errorf("%s: %s is asked for, %s is locked", name, version, locked)
		}
	}
	for name, locked := range lock.Packages {
		if name != "" && (locked.Resolved != "" || !strings.HasPrefix(locked.Integrity, "sha512-")) {
			t.Errorf("%s: resolved %q, integrity %q", name, locked.Resolved, locked.Integrity)
		}
	}
}

func decode(t *testing.T, path string, into any) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatal(err)
	}
}
