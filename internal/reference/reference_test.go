package reference

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the page")

const path = "../../docs/reference.md"

// TestPage holds the page against the code.
func TestPage(t *testing.T) {
	page, err := Page("../..")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	current, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(current) != page {
		t.Error("docs/reference.md is not what the code says: go test ./internal/reference -update")
	}
	for line := range strings.Lines(page) {
		if cells := strings.Split(strings.TrimSpace(line), " | "); strings.HasPrefix(line, "| `") && len(cells) == 3 && strings.Trim(cells[2], " |") == "" {
			t.Errorf("a field without a meaning: %s", line)
		}
	}
}
