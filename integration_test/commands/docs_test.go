package commands

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"go.yaml.in/yaml/v3"

	"github.com/excorp/caddy-require-auth/internal/lint"
)

// documented are the files that the examples of docs/commands.md work on,
// besides its own Caddyfile.
var documented = map[string]string{
	"keys.json":    `[{"id": "partner-a", "digest": "sha256:` + strings.Repeat("0", 64) + `", "scopes": ["things:read"]}]`,
	"key.txt":      "cra_00000000000000000000000000000000000000000070QtIqZ\n",
	"openapi.json": `{"openapi": "3.1.0", "paths": {"/me": {"get": {"responses": {"200": {"description": "ok"}}}}}}`,
}

var (
	caddyfileBlock = regexp.MustCompile("(?ms)^```caddyfile\n(.*?)^```$")
	accessBlock    = regexp.MustCompile("(?ms)^```text\n(# access.test\n.*?)^```$")
	consoleBlock   = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")
)

// TestDocs gives every command of docs/commands.md. Its output must be the text of the
// page; `…` matches any text.
func TestDocs(t *testing.T) {
	page := readPage(t)
	folder := t.TempDir()
	for name, content := range documented {
		write(t, filepath.Join(folder, name), content)
	}
	caddyfiles := caddyfileBlock.FindAllStringSubmatch(page, -1)
	write(t, filepath.Join(folder, "Caddyfile"), caddyfiles[0][1])
	write(t, filepath.Join(folder, "access.test"), accessBlock.FindStringSubmatch(page)[1])
	for _, found := range caddyfiles {
		if _, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(found[1]), nil); err != nil {
			t.Errorf("%v\n%s", err, found[1])
		}
	}
	blocks := consoleBlock.FindAllStringSubmatch(page, -1)
	if len(blocks) < 7 {
		t.Fatalf("found %d examples: were they found?", len(blocks))
	}
	for _, block := range blocks {
		line, printed, _ := strings.Cut(block[1], "\n")
		t.Run(line, func(t *testing.T) {
			got := strings.TrimSpace(give(t, folder, strings.TrimPrefix(line, "$ ")))
			pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(printed)), "…", "(?s:.+?)")
			if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
				t.Errorf("it prints\n%s", got)
			}
		})
	}
}

// TestDocsWorkflow runs the step of a GitHub workflow. The report that the next step
// uploads is there, also if a case fails.
func TestDocsWorkflow(t *testing.T) {
	page := readPage(t)
	_, snippet, _ := strings.Cut(page, "```yaml\n")
	snippet, _, _ = strings.Cut(snippet, "```")
	var steps []struct {
		Run, Uses, If string
		With          struct{ Path string }
	}
	if err := yaml.Unmarshal([]byte(snippet), &steps); err != nil || len(steps) != 2 || steps[1].Uses == "" || steps[1].If != "always()" {
		t.Fatalf("%v: %+v", err, steps)
	}
	for cases, fails := range map[string]bool{"anonymous GET /me 401\n": false, "anonymous GET /me pass\n": true} {
		folder := t.TempDir()
		for name, content := range documented {
			write(t, filepath.Join(folder, name), content)
		}
		write(t, filepath.Join(folder, "Caddyfile"), caddyfileBlock.FindStringSubmatch(page)[1])
		write(t, filepath.Join(folder, "access.test"), "site https://api.example.com\n"+cases)
		output := give(t, folder, strings.TrimPrefix(steps[0].Run, "./")+" || echo $?")
		if failed := strings.HasSuffix(strings.TrimSpace(output), "\n1"); failed != fails {
			t.Errorf("%s fails: %t\n%s", cases, failed, output)
		}
		report, err := os.ReadFile(filepath.Join(folder, steps[1].With.Path))
		if err != nil || strings.Contains(string(report), "<failure") != fails {
			t.Errorf("%v: %s", err, report)
		}
	}
}

// TestDocsRules has the table of rules.
func TestDocsRules(t *testing.T) {
	var documented []string
	for _, found := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (warning|note) \\|").FindAllStringSubmatch(readPage(t), -1) {
		documented = append(documented, found[1]+" "+found[2])
	}
	var commands []string
	for _, rule := range lint.Rules() {
		commands = append(commands, rule.ID+" "+string(rule.Level))
	}
	if !slices.Equal(documented, commands) {
		t.Errorf("documented are\n%s\nthere are\n%s", strings.Join(documented, "\n"), strings.Join(commands, "\n"))
	}
}

func readPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// word is a word of a command line, in quotes or not.
var word = regexp.MustCompile(`(?:'[^']*'|"[^"]*"|[^\s'"])+`)

// give runs a command as a shell would, as far as the page needs it. It supports `<`
// for the standard input and `|| echo $?` for the exit code.
func give(t *testing.T, folder, line string) string {
	t.Helper()
	line, showCode := strings.CutSuffix(line, " || echo $?")
	line, input, _ := strings.Cut(line, " < ")
	words := word.FindAllString(line, -1)
	for i := range words {
		words[i] = strings.Trim(words[i], `'"`)
	}
	command := exec.Command(words[0], words[1:]...)
	command.Dir = folder
	command.Env = append(os.Environ(), "JWT_SECRET=demonstration-only-secret-of-32-bytes-or-more")
	if input != "" {
		file, err := os.Open(filepath.Join(folder, input))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		command.Stdin = file
	}
	var output, problems bytes.Buffer
	command.Stdout, command.Stderr = &output, &problems
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && showCode:
		fmt.Fprintln(&output, exit.ExitCode())
	case err != nil:
		t.Fatalf("%v\n%s", err, problems.String())
	}
	return output.String()
}
