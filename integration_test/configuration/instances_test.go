package configuration

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestSeveralInstances adapts every Caddyfile of the page on several instances
// and validates what needs no files and no environment.
func TestSeveralInstances(t *testing.T) {
	page := harness.ReadFile(t, "../../docs/several-instances.md")
	found := codeBlock.FindAllStringSubmatch(page, -1)
	if len(found) < 4 {
		t.Errorf("found %d configurations", len(found))
	}
	for _, block := range found {
		config := block[2]
		if block[1] == "caddyfile" {
			config = adapt(t, config)
		}
		if strings.Contains(config, "_file\"") || strings.Contains(config, "{env.") {
			continue
		}
		if err := validate(t, config); err != nil {
			t.Errorf("%v\n%s", err, block[2])
		}
	}
}
