//go:build realparts

package realparts

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestPip has pip at a package index. It asks without a credential first, and sends what
// the URL of the index or a file netrc has after the 401.
func TestPip(t *testing.T) {
	home, index := t.TempDir(), t.TempDir()
	write := func(path, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const wheel = "demo-1.0-py3-none-any.whl"
	write(filepath.Join(index, "simple/demo/index.html"), `<!DOCTYPE html><html><body><a href="/files/`+wheel+`">`+wheel+`</a></body></html>`)
	write(filepath.Join(index, "files", wheel), zipped(t, map[string]string{
		"demo.py":                     "",
		"demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
		"demo-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"demo-1.0.dist-info/RECORD":   "demo.py,,\n",
	}))
	digest := sha256.Sum256([]byte(registryKey))
	s := harness.Start(t, `{
	auth {
		attempts off
		api_key packages {
			from authorization Basic
			key robot sha256:`+hex.EncodeToString(digest[:])+`
		}
	}
}
http://localhost:8080 {
	require_auth
	root `+index+`
	file_server
}
`)
	write(filepath.Join(home, "netrc"), "machine localhost login __token__ password "+registryKey+"\n")
	for name, test := range map[string]struct {
		login, netrc string
		admitted     bool
	}{
		"with a key in the URL of the index": {"__token__:" + registryKey + "@", os.DevNull, true},
		"with a key in a file netrc":         {"", filepath.Join(home, "netrc"), true},
		"with a wrong key":                   {"__token__:npm_another-unknown-key-0000000@", os.DevNull, false},
	} {
		t.Run("CLI-4: pip "+name, func(t *testing.T) {
			to := t.TempDir()
			command := exec.Command("pip3", "--isolated", "--no-input", "--no-cache-dir", "--disable-pip-version-check", "download", "demo", "--no-deps",
				"--retries", "0", "--dest", to, "--index-url", strings.Replace(s.URL("/simple/"), "http://", "http://"+test.login, 1))
			command.Env = append(os.Environ(), "HOME="+home, "NETRC="+test.netrc, "no_proxy=localhost")
			output, err := command.CombinedOutput()
			if _, missing := os.Stat(filepath.Join(to, wheel)); test.admitted != (err == nil && missing == nil) {
				t.Errorf("%v\n%s", err, output)
			}
			if decisions := s.Decisions(); !test.admitted && decisions[len(decisions)-1]["code"] != "invalid_credentials" {
				t.Errorf("%v", decisions)
			}
		})
	}
}

// zipped returns an archive with files.
func zipped(t *testing.T, files map[string]string) string {
	t.Helper()
	archive := new(strings.Builder)
	w := zip.NewWriter(archive)
	for name, content := range files {
		file, err := w.Create(name)
		if err == nil {
			_, err = file.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.String()
}
