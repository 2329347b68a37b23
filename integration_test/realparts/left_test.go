//go:build !realparts

package realparts

import (
	"os"
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
