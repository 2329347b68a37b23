package integration

import (
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gitServer serves a repository demo.git with one commit. It takes the user from
// the field X-Remote-User, and fails the test if a credential gets through.
func gitServer(t *testing.T) string {
	t.Helper()
	if !hasGit() {
		return "localhost:3000"
	}
	folder := t.TempDir()
	t.Chdir(folder) // where the recipe clones to
	for _, command := range []string{"init -q --bare demo.git", "init -q first", "-C first commit -q --allow-empty -m first", "-C first push -q ../demo.git HEAD:refs/heads/main", "-C demo.git symbolic-ref HEAD refs/heads/main"} {
		git(t, "", strings.Fields(command))
	}
	path, err := exec.Command("git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	backend := filepath.Join(strings.TrimSpace(string(path)), "git-http-backend")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the server gets the password")
		}
		handler := cgi.Handler{Path: backend, Env: []string{"GIT_PROJECT_ROOT=" + folder, "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=" + r.Header.Get("X-Remote-User")}}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { git(t, "", []string{"-C", "demo.git", "rev-parse", "--verify", "--quiet", "refs/heads/topic"}) })
	return strings.TrimPrefix(server.URL, "http://")
}

// hasGit reports whether the recipe of Git can run. The test command needs Go alone.
func hasGit() bool {
	_, err := exec.LookPath("git")
	return err == nil
}

// git runs Git without a configuration of the user.
func git(t *testing.T, site string, arguments []string) {
	t.Helper()
	for i := range arguments {
		arguments[i] = strings.Replace(arguments[i], "localhost:8080", site, 1)
	}
	command := exec.Command("git", arguments...)
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=alice", "GIT_AUTHOR_EMAIL=alice@example.com", "GIT_COMMITTER_NAME=alice", "GIT_COMMITTER_EMAIL=alice@example.com")
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("git %q: %v\n%s", arguments, err, output)
	}
}
