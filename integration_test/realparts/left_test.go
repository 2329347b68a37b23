//go:build !realparts

package realparts

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestLockFile is what can be told without the parts.
func TestLockFile(t *testing.T) {
	t.Log("left to CI: an OpenID provider, oauth4webapi and the MCP SDKs (go test -tags realparts)")
	lock, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved": "http`) {
		t.Error("the lock file names a registry")
	}
}

// TestClientsOfThePage wants the versions in docs/mcp.md to be those that are tested.
func TestClientsOfThePage(t *testing.T) {
	var parts struct{ Dependencies map[string]string }
	content, err := os.ReadFile("package.json")
	if err == nil {
		err = json.Unmarshal(content, &parts)
	}
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("gosdk/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if found := regexp.MustCompile(`(github\.com/modelcontextprotocol/go-sdk) v(\S+)`).FindSubmatch(module); found != nil {
		parts.Dependencies[string(found[1])] = string(found[2])
	}
	page, err := os.ReadFile("../../docs/mcp.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)`[^|]*\\| ([0-9][^ |]*) \\| yes \\| yes \\| (yes|no) \\|$").FindAllSubmatch(page, -1)
	for _, row := range rows {
		name, version := string(row[1]), string(row[2])
		if parts.Dependencies[name] != version {
			t.Errorf("%s: the page says %s, tested is %s", name, version, parts.Dependencies[name])
		}
		if more, known := stepsUp[name]; !known || more != (string(row[3]) == "yes") {
			t.Errorf("%s: the page says %s about more scope, tested is %v", name, row[3], more)
		}
	}
	if version := regexp.MustCompile("`(@modelcontextprotocol/conformance)` ([^ )]+)\\)").FindSubmatch(page); version == nil || parts.Dependencies[string(version[1])] != string(version[2]) {
		t.Errorf("the page names another version of the conformance suite: %q", version)
	}
	if len(rows) != len(stepsUp) {
		t.Errorf("%d clients are in the table", len(rows))
	}
}
