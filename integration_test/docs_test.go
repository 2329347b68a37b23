package integration

import (
	"maps"
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
	examples := caddyfileBlock.FindAllStringSubmatch(harness.ReadFile(t, "../docs/moving.md"), -1)
	if len(examples) != 4 {
		t.Errorf("%d examples were found", len(examples))
	}
	for _, example := range examples {
		harness.Start(t, runnable(t, example[1]))
	}
}

// TestSecurityEvents loads every Caddyfile of docs/security-events.md.
func TestSecurityEvents(t *testing.T) {
	t.Setenv("SSF_CLIENT_SECRET", "a-secret-of-the-client")
	examples := caddyfileBlock.FindAllStringSubmatch(harness.ReadFile(t, "../docs/security-events.md"), -1)
	for _, example := range examples {
		harness.Start(t, runnable(t, example[1]))
	}
	if len(examples) == 0 {
		t.Error("no example was found")
	}
}

// TestTroubleshooting has a line for every code.
func TestTroubleshooting(t *testing.T) {
	page := harness.ReadFile(t, "../docs/troubleshooting.md")
	for _, code := range authn.Codes() {
		if !strings.Contains(page, "| `"+string(code)+"` |") {
			t.Errorf("%s is not there", code)
		}
	}
}

// TestReliability wants each row of the faults in docs/reliability.md to name
// tests that are there.
func TestReliability(t *testing.T) {
	faults, _, _ := strings.Cut(harness.ReadFile(t, "../docs/reliability.md"), "\n## Figures\n")
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
	_, promises, _ := strings.Cut(harness.ReadFile(t, "../SECURITY.md"), "\n## What is promised\n")
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
		if !strings.Contains(harness.ReadFile(t, filepath.Join(folder, link[2])), "\nfunc "+link[1]+"(t *testing.T) {") {
			t.Errorf("%s has no %s", link[2], link[1])
		}
	}
}

// TestPackages wants a line in CONTRIBUTING.md for each package, and no other.
func TestPackages(t *testing.T) {
	_, table, _ := strings.Cut(harness.ReadFile(t, "../CONTRIBUTING.md"), "\n## Packages\n")
	var listed, found []string
	for _, row := range rowsOf(table) {
		listed = append(listed, strings.Split(row, "`")[1])
	}
	err := filepath.WalkDir("..", func(path string, entry os.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "testdata" || name == "node_modules" || path != ".." && name[0] == '.'):
			return filepath.SkipDir
		case filepath.Ext(name) == ".go":
			folder, err := filepath.Rel("..", filepath.Dir(path))
			found = append(found, filepath.ToSlash(folder))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(found)
	found = slices.Compact(found)
	for _, folder := range found {
		if !slices.Contains(listed, folder) {
			t.Errorf("%s is not listed", folder)
		}
	}
	for _, folder := range listed {
		if !slices.Contains(found, folder) {
			t.Errorf("%s is listed and has no Go file", folder)
		}
	}
}

// quotedReason is a reason between one or two backticks.
var quotedReason = regexp.MustCompile("``(.+?)``|`([^`]+)`")

// TestTroubleshootingReasons finds each quoted reason in the code.
func TestTroubleshootingReasons(t *testing.T) {
	source := sourceOf(t, "..")
	_, table, _ := strings.Cut(harness.ReadFile(t, "../docs/troubleshooting.md"), "| `code` | status |")
	table, _, _ = strings.Cut(table, "\n## ")
	reasons := 0
	for _, row := range rowsOf(table) {
		for _, quoted := range quotedReason.FindAllStringSubmatch(strings.Split(row, "|")[3], -1) {
			reasons++
			for _, part := range strings.FieldsFunc(strings.NewReplacer(`"…"`, "…", ": ", "…").Replace(quoted[1]+quoted[2]), func(r rune) bool { return r == '…' }) {
				part = strings.TrimSpace(part)
				_, rest, _ := strings.Cut(part, " ") // an error can begin with the name of a claim
				if !strings.Contains(source, part) && !strings.Contains(source, "%s "+rest) && !strings.Contains(source, `" `+rest+`"`) {
					t.Errorf("no error has %q", part)
				}
			}
		}
	}
	if reasons < 50 {
		t.Errorf("%d reasons were found", reasons)
	}
}

// loggedMessage is the message of a warning or an error.
var loggedMessage = regexp.MustCompile(`[lL]og(?:ger)?(?:\(\))?\.(?:Warn|Error)\(\s*"([^"]+)"`)

// TestTroubleshootingMessages has a row for each warning and error of the log.
func TestTroubleshootingMessages(t *testing.T) {
	_, table, _ := strings.Cut(harness.ReadFile(t, "../docs/troubleshooting.md"), "\n## Warnings and errors in the log\n")
	table, _, _ = strings.Cut(table, "\n## ")
	unused := make(map[string]bool)
	for _, row := range rowsOf(table) {
		for _, quoted := range quotedReason.FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
			unused[quoted[2]] = true
		}
	}
	listed := slices.Collect(maps.Keys(unused))
	for _, message := range loggedMessage.FindAllStringSubmatch(sourceOf(t, ".."), -1) {
		row := slices.IndexFunc(listed, func(beginning string) bool { return strings.HasPrefix(message[1], beginning) })
		if row < 0 {
			t.Errorf("%q has no row", message[1])
			continue
		}
		delete(unused, listed[row])
	}
	for beginning := range unused {
		t.Errorf("no message begins with %q", beginning)
	}
}

// sourceOf returns the Go code of a folder without its tests.
func sourceOf(t *testing.T, folder string) string {
	t.Helper()
	var source strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "integration_test" || name == "bench" || name == "node_modules"):
			return filepath.SkipDir
		case filepath.Ext(name) == ".go" && !strings.HasSuffix(name, "_test.go"):
			source.WriteString(harness.ReadFile(t, path))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return source.String()
}
