package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

// TestMoving loads every Caddyfile of docs/moving.md.
func TestMoving(t *testing.T) {
	page, err := os.ReadFile("../docs/moving.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := caddyfileBlock.FindAllStringSubmatch(string(page), -1)
	if len(examples) != 4 {
		t.Errorf("%d examples were found", len(examples))
	}
	for _, example := range examples {
		harness.Start(t, runnable(t, example[1]))
	}
}

// TestTroubleshooting has a line for every code.
func TestTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range denial.Codes() {
		if !strings.Contains(string(page), "| `"+string(code)+"` |") {
			t.Errorf("%s is not there", code)
		}
	}
}

// TestReliability wants each row of the faults in docs/reliability.md to name
// tests that are there.
func TestReliability(t *testing.T) {
	page, err := os.ReadFile("../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	faults, _, _ := strings.Cut(string(page), "\n## Figures\n")
	rows := 0
	for line := range strings.Lines(faults) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| fault |") {
			continue
		}
		named := linkedTest.FindAllStringSubmatch(line, -1)
		if strings.Count(line, "|") != 5 || len(named) == 0 {
			t.Errorf("a row without a test, or of another form: %s", line)
		}
		rows++
		for _, link := range named {
			source, err := os.ReadFile(filepath.Join("../docs", link[2]))
			if err != nil {
				t.Error(err)
			}
			if !strings.Contains(string(source), "\nfunc "+link[1]+"(t *testing.T) {") {
				t.Errorf("%s has no %s", link[2], link[1])
			}
		}
	}
	if rows < 20 {
		t.Errorf("%d rows were found", rows)
	}
}

// linkedTest is a link to the file of a test.
var linkedTest = regexp.MustCompile(`\[(Test\w+)\]\((\S+_test\.go)\)`)
