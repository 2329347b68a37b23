package denial

import (
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

func TestAcceptIsBounded(t *testing.T) {
	t.Run("COST-1: of a long Accept nothing is read", func(t *testing.T) {
		for _, unit := range []string{";", "a;", ",", "text/html;"} {
			long := "text/html," + strings.Repeat(unit, maxAccept/len(unit))
			if cost := steps.Of(func() { negotiate([]string{long}) }); cost != 0 || negotiate([]string{long}) != FormatProblem {
				t.Errorf("%d steps for %q", cost, unit)
			}
		}
		if negotiate([]string{"text/html;" + strings.Repeat(" ", maxAccept-10)}) != FormatHTML {
			t.Error("one that is just short enough is not read")
		}
		many := slices.Repeat([]string{strings.Repeat(";", maxAccept)}, 2*maxRanges)
		if cost := steps.Of(func() { negotiate(many) }); cost > maxRanges*maxAccept {
			t.Errorf("%d steps for many fields", cost)
		}
	})
}
