package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestMoving loads every Caddyfile of docs/moving.md.
func TestMoving(t *testing.T) {
	examples := caddyfileBlock.FindAllStringSubmatch(textOf(t, "../docs/moving.md"), -1)
	if len(examples) != 4 {
		t.Errorf("%d examples were found", len(examples))
	}
	for _, example := range examples {
		harness.Start(t, runnable(t, example[1]))
	}
}

// TestTroubleshooting has a line for every code.
func TestTroubleshooting(t *testing.T) {
	page := textOf(t, "../docs/troubleshooting.md")
	for _, code := range authn.Codes() {
		if !strings.Contains(page, "| `"+string(code)+"` |") {
			t.Errorf("%s is not there", code)
		}
	}
}

// TestReliability wants each row of the faults in docs/reliability.md to name
// tests that are there.
func TestReliability(t *testing.T) {
	faults, _, _ := strings.Cut(textOf(t, "../docs/reliability.md"), "\n## Figures\n")
	rows := rowsOf(faults)
	for _, row := range rows {
		if strings.Count(row, "|") != 5 {
			t.Errorf("a row of another form: %s", row)
		}
		namesTests(t, "../docs", row)
	}
	if len(rows) < 20 {
		t.Errorf("%d rows were found", len(rows))
	}
}

// TestPromises wants the same of each promise and each bound in SECURITY.md.
func TestPromises(t *testing.T) {
	_, promises, _ := strings.Cut(textOf(t, "../SECURITY.md"), "\n## What is promised\n")
	promises, rest, _ := strings.Cut(promises, "\n## ")
	_, bounds, _ := strings.Cut(rest, "\n## Bounds\n")
	items, rows := strings.Split(promises, "\n- ")[1:], rowsOf(bounds)
	for _, text := range slices.Concat(items, rows) {
		namesTests(t, "..", text)
	}
	if len(items) < 10 || len(rows) < 25 {
		t.Errorf("%d promises and %d bounds were found", len(items), len(rows))
	}
}

func textOf(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// rowsOf returns the lines of the tables in a text, without their heads.
func rowsOf(text string) (rows []string) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		head := i+1 < len(lines) && strings.HasPrefix(lines[i+1], "| ---")
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| ---") && !head {
			rows = append(rows, line)
		}
	}
	return rows
}

// linkedTest is a link to the file of a test.
var linkedTest = regexp.MustCompile(`\[(Test\w+)\]\((\S+_test\.go)\)`)

// namesTests wants a text to link tests that are there, from pages in a folder.
func namesTests(t *testing.T, folder, text string) {
	t.Helper()
	named := linkedTest.FindAllStringSubmatch(text, -1)
	if len(named) == 0 {
		t.Errorf("no test is named: %s", text)
	}
	for _, link := range named {
		if !strings.Contains(textOf(t, filepath.Join(folder, link[2])), "\nfunc "+link[1]+"(t *testing.T) {") {
			t.Errorf("%s has no %s", link[2], link[1])
		}
	}
}
