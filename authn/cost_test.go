package authn_test

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// TestCost doubles what stands in the field Authorization.
func TestCost(t *testing.T) {
	for _, unit := range []string{",", " ,", ",a", `,"`, "a=,", ";", `="`, ", ", ",a ", ",a=", "\\", `"\`, ", \t", "a,=", "a =,", "é,", ", a ="} {
		t.Run("COST-1: reading Authorization takes twice as long for twice as many "+unit, func(t *testing.T) {
			cost := func(bytes int) int64 {
				field := "x " + strings.Repeat(unit, bytes/len(unit))
				return steps.Of(func() { _, _ = authn.ParseAuthorization([]string{field}) })
			}
			if once, twice := cost(4000), cost(8000); twice > 2*once+16 {
				t.Errorf("%d steps, and %d for twice as much", once, twice)
			}
		})
	}
	t.Run("COST-1: of a field over the bound nothing is read", func(t *testing.T) {
		field := "x " + strings.Repeat(",", 17<<10)
		if cost := steps.Of(func() { _, _ = authn.ParseAuthorization([]string{field}) }); cost != 0 {
			t.Errorf("%d steps", cost)
		}
	})
}
