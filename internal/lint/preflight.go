package lint

import (
	"encoding/json"
	"slices"

	"github.com/excorp/caddy-require-auth/internal/routes"
)

// preflightRules check which handler answers CORS preflights.
var preflightRules = []*Rule{
	{
		ID: "preflight-answered", Level: Note,
		Danger: "an upstream with a CORS configuration of its own never sees them, and browsers let no script of another origin call the site",
		Remedy: "Write `auth_cors` with the origins, or `preflight forward` in each gate in front of such an upstream. If no other origin calls the site, write `preflight answer`.",
		find:   answeredPreflights,
	},
	{
		ID: "preflight-forward", Level: Note,
		Danger: "the upstream answers unauthenticated requests that look like a preflight, with all their effects",
		Remedy: "Keep it if the upstream has a CORS configuration of its own; else remove the line, or write `auth_cors`.",
		find:   forwardedPreflights,
	},
}

// answeredPreflights finds gates before an upstream without a decision about
// preflights, one for each site.
func answeredPreflights(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		var noted [][]string
		for _, gate := range found.Gates {
			site := gate.Scope.Hosts
			if preflightOf(gate) != "" || !guardsUpstream(found, gate) || hasCORS(found, gate.Scope) ||
				slices.ContainsFunc(noted, func(hosts []string) bool { return slices.Equal(hosts, site) }) {
				continue
			}
			noted = append(noted, site)
			all = append(all, Finding{What: "the gate answers CORS preflights, and no auth_cors does before", Where: gate.Where, Query: queryOf(gate)})
		}
		return all
	})
}

func forwardedPreflights(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			if preflightOf(gate) == "forward" {
				all = append(all, Finding{What: "CORS preflights go on to the upstream", Where: gate.Where, Query: queryOf(gate)})
			}
		}
		return all
	})
}

// readGate reads the configuration of a gate of this plugin.
func readGate(gate routes.PlacedGate, config any) bool {
	return gate.Handler == "require_auth" && json.Unmarshal(gate.Config, config) == nil
}

// preflightOf returns the line `preflight` of a gate. A gate of Caddy has none, and
// requires a credential.
func preflightOf(gate routes.PlacedGate) string {
	var config struct {
		Preflight string `json:"preflight"`
	}
	if !readGate(gate, &config) {
		return "answer"
	}
	return config.Preflight
}

func guardsUpstream(found routes.Analysis, gate routes.PlacedGate) bool {
	return slices.ContainsFunc(found.Rows, func(row routes.Row) bool {
		return row.Handler.Name == "reverse_proxy" && slices.ContainsFunc(row.Gates, func(g routes.Gate) bool { return g.Where == gate.Where })
	})
}

func hasCORS(found routes.Analysis, scope routes.Region) bool {
	return slices.ContainsFunc(found.CORS, func(handler routes.PlacedHandler) bool {
		_, meets := handler.Scope.And(scope)
		return meets
	})
}
