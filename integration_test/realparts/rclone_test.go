//go:build realparts

package realparts

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/webdav"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestRclone has rclone at a WebDAV site, where editors change files, and at a site with
// files to read.
func TestRclone(t *testing.T) {
	upstream := httptest.NewServer(&webdav.Handler{FileSystem: webdav.NewMemFS(), LockSystem: webdav.NewMemLS()})
	t.Cleanup(upstream.Close)
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "note.txt"), []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.Start(t, `{
	auth {
		attempts off
		bearer corp {`+harness.BearerLines+`}
		basic ops {
			user alice `+bcrypted(t, "secret")+` {
				role editor
			}
			user bob `+bcrypted(t, "secret")+`
		}
	}
}
http://localhost:8080 {
	@change not method GET HEAD OPTIONS PROPFIND
	require_auth corp ops {
		strip_credentials
	}
	require_auth @change corp ops {
		role editor
	}
	reverse_proxy `+strings.TrimPrefix(upstream.URL, "http://")+`
}
http://localhost:8081 {
	require_auth corp ops
	root `+home+`
	file_server browse
}
`)
	obscured, err := exec.Command("rclone", "obscure", "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	editor := harness.Token(t, harness.Claims{"roles": []string{"editor"}})
	dav := func(login ...string) []string { return append([]string{"--webdav-url", s.URL("/")}, login...) }
	files := func(value string) []string {
		return []string{"--http-url", s.SecondURL("/"), "--http-headers", "Authorization," + value}
	}
	password := strings.TrimSpace(string(obscured))
	for _, test := range []struct {
		name  string
		does  []string
		login []string
		says  string // a part of the output, of a program that ends well
		code  string // in the log, of one that does not
	}{
		{"writes to WebDAV with a password", []string{"copy", home + "/note.txt", ":webdav:a"}, dav("--webdav-user", "alice", "--webdav-pass", password), "", ""},
		{"writes to WebDAV with a token", []string{"copy", home + "/note.txt", ":webdav:b"}, dav("--webdav-bearer-token", editor), "", ""},
		{"reads WebDAV with a password", []string{"cat", ":webdav:a/note.txt"}, dav("--webdav-user", "bob", "--webdav-pass", password), "hello", ""},
		{"lists WebDAV with a token", []string{"lsf", ":webdav:"}, dav("--webdav-bearer-token", harness.Token(t)), "a/\nb/\n", ""},
		{"may not write to WebDAV", []string{"copy", home + "/note.txt", ":webdav:c"}, dav("--webdav-user", "bob", "--webdav-pass", password), "", "insufficient_role"},
		{"has a wrong token for WebDAV", []string{"lsf", ":webdav:"}, dav("--webdav-bearer-token", "nonsense"), "", "invalid_token"},
		{"reads files with a token", []string{"cat", ":http:note.txt"}, files("Bearer " + harness.Token(t)), "hello", ""},
		{"has a wrong token for files", []string{"cat", ":http:note.txt"}, files("Bearer nonsense"), "", "invalid_token"},
	} {
		t.Run("CLI-4: rclone "+test.name, func(t *testing.T) {
			before := len(s.Decisions())
			command := exec.Command("rclone", append(append([]string{"--config", "", "--retries", "1", "--low-level-retries", "1"}, test.does...), test.login...)...)
			command.Env = append(os.Environ(), "HOME="+home, "no_proxy=localhost")
			output, err := command.CombinedOutput()
			if (test.code == "") != (err == nil) || !strings.Contains(string(output), test.says) {
				t.Errorf("%v\n%s", err, output)
			}
			denied := slices.ContainsFunc(s.Decisions()[before:], func(d map[string]any) bool { return d["code"] == test.code })
			if test.code != "" && !denied {
				t.Errorf("%v", s.Decisions()[before:])
			}
		})
	}
}
