package commands

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWatch runs access tests again and again, as their files change.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) {
		t.Helper()
		// A rename replaces the file at once, as editors do.
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	const (
		site    = "http://localhost:8080 {\n\trequire_auth corp\n\trespond in\n}\n"
		options = "{\n\tauth {\n\t\tbearer corp {\n\t\t\tissuer https://idp.example.com\n\t\t\taudience https://api.example.com\n\t\t}\n\t}\n}\n"
		denied  = "site http://localhost:8080\nanonymous GET /me 401\n"
	)
	write("Caddyfile", options+site)
	write("access.test", denied)
	ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute) // in which a command that shows nothing ends
	command := exec.CommandContext(ctx, "caddy", "auth", "test", "--watch", "--verbose", "access.test")
	command.Dir = dir
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	defer func() {
		stop()
		for lines.Scan() { // until the pipe is closed
		}
		_ = command.Wait()
	}()
	// shows reads the output until a line has a text.
	shows := func(text string) {
		t.Helper()
		var before []string
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
			before = append(before, lines.Text())
		}
		t.Fatalf("%q is not in the output:\n%s", text, strings.Join(before, "\n"))
	}
	shows("--- PASS: anonymous GET /me ")
	shows("1 cases, 0 failed")

	write("access.test", denied+"anonymous GET /open pass\n")
	shows("--- FAIL: anonymous GET /open ")
	shows("2 cases, 1 failed")

	write("Caddyfile", options+strings.Replace(site, "require_auth corp", "require_auth /me corp", 1))
	shows("--- PASS: anonymous GET /open ")
	shows("2 cases, 0 failed")

	write("Caddyfile", options+strings.Replace(site, "require_auth corp", "require_auth unknown", 1))
	shows(`unknown scheme "unknown"`)

	write("access.test", denied+"anonymous GET /open allow\n")
	write("Caddyfile", options+site)
	shows(`access.test:3:21: unrecognized expectation "allow"`)

	write("access.test", denied)
	shows("1 cases, 0 failed")
}
