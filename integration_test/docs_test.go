package integration

import (
	"os"
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
