package integration

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestReadme runs the first Caddyfile of each README and asks what is printed
// below it. Each answer has to be the printed one; `…` replaces what differs.
func TestReadme(t *testing.T) {
	for _, page := range []string{"../README.md", "../README.ko.md"} {
		s := harness.Start(t, runnable(t, caddyfileBlock.FindStringSubmatch(harness.ReadFile(t, page))[1]))
		if requests := runTour(t, s.Addr(), readTour(t, page)); requests != 1 {
			t.Errorf("%s has %d requests", page, requests)
		}
	}
}

func TestMain(m *testing.M) { harness.Main(m) }

// TestTour runs the example and gives every command of the tour.
func TestTour(t *testing.T) {
	site := runExample(t)
	if requests := runTour(t, site, readTour(t, "../docs/tour.md")); requests < 15 {
		t.Errorf("the tour has %d requests: were they found?", requests)
	}
}

// runTour gives every command of a tour, and returns how many requests were made.
func runTour(t *testing.T, site string, tour []step) (requests int) {
	t.Helper()
	variables := make(map[string]string)
	for _, step := range tour {
		command := expand(step.command, variables)
		words := split(t, command)
		switch {
		case strings.HasPrefix(command, "curl "):
			requests++
			answer := curl(t, site, words[1:])
			if problem := step.compare(answer); problem != "" {
				t.Errorf("%s\n%s\n\nthe answer was\n%s", step.command, problem, answer)
			}
		case strings.HasPrefix(command, "git ") && !strings.Contains(command, "github.com"):
			requests++
			if hasGit() {
				git(t, site, words[1:])
			}
		case assignment.MatchString(command):
			parts := assignment.FindStringSubmatch(command)
			variables[parts[1]] = mint(t, split(t, parts[2]))
		}
	}
	return requests
}

var assignment = regexp.MustCompile(`^([A-Z]+)=\$\(go run \./cmd/caddy (.*)\)$`)

// runExample runs Caddyfile.example on a free port, until the test ends.
func runExample(t *testing.T) string {
	t.Helper()
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	site := harness.FreeAddress(t)
	config := strings.NewReplacer("localhost:8080", site, "admin localhost:2019", "admin off").Replace(string(example))
	path := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("caddy", "run", "--config", path)
	var log strings.Builder
	command.Stderr = &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	harness.Eventually(t, "the example answers", func() bool {
		response, err := http.Get("http://" + site + "/")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil
	})
	return site
}

func mint(t *testing.T, arguments []string) string {
	t.Helper()
	output, err := exec.Command("caddy", arguments...).Output()
	if err != nil {
		t.Fatalf("%q: %v", arguments, err)
	}
	return strings.TrimSpace(string(output))
}

// step is a command of the tour and what is printed below it.
type step struct {
	command string
	printed []string
}

func readTour(t *testing.T, page string) []step {
	t.Helper()
	file, err := os.Open(page)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var tour []step
	inside := false
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "```console":
			inside = true
		case line == "```":
			inside = false
		case inside && strings.HasPrefix(line, "$ "):
			tour = append(tour, step{command: strings.TrimPrefix(line, "$ ")})
		case inside:
			last := &tour[len(tour)-1]
			last.printed = append(last.printed, line)
		}
	}
	return tour
}

// compare holds an answer against the printed one. A line `…` stands for
// fields that are not printed; without it every field has to be there.
func (s step) compare(answer string) string {
	header, body, _ := strings.Cut(answer, "\n\n")
	fields := strings.Split(header, "\n")
	open := false
	printed := 0
	for i, line := range s.printed {
		if line == "" {
			if want := strings.Join(s.printed[i+1:], "\n"); !like(want).MatchString(strings.TrimSpace(body)) {
				return "the body should be\n" + want
			}
			break
		}
		if line == "…" {
			open = true
			continue
		}
		printed++
		if !slices.ContainsFunc(fields, like(line).MatchString) {
			return "there should be the line\n" + line
		}
	}
	if !open && printed != len(fields) {
		return fmt.Sprintf("there are %d lines above the body, %d are printed", len(fields), printed)
	}
	if strings.Count(header, "Www-Authenticate") != strings.Count(strings.Join(s.printed, "\n"), "Www-Authenticate") {
		return "the challenges differ"
	}
	return ""
}

// like makes a pattern of a printed text, in which `…` stands for anything.
func like(text string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(strings.TrimSpace(text))
	return regexp.MustCompile("^" + strings.ReplaceAll(quoted, "…", ".+") + "$")
}
