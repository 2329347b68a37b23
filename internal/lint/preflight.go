package lint

import (
	"encoding/json"
	"slices"

	"github.com/excorp/caddy-require-auth/internal/survey"
)

// preflightRules look at who answers CORS preflights.
var preflightRules = []*Rule{
	{
		ID: "preflight-answered", Level: Note,
		Danger: "an upstream with a CORS configuration of its own is not asked, and browsers let no script of another origin call the site",
		Remedy: "Write `auth_cors` with the origins, or `preflight forward` in each gate in front of such an upstream. If no other origin calls the site, write `preflight answer`.",
		find:   answeredPreflights,
	},
	{
		ID: "preflight-forward", Level: Note,
		Danger: "the upstream answers requests without a credential that are shaped like a preflight, whatever they make it do",
		Remedy: "Keep it if the upstream has a CORS configuration of its own; else take the line out, or write `auth_cors`.",
		find:   forwardedPreflights,
	},
}

// answeredPreflights finds gates in front of an upstream that leave open who
// answers preflights, one for each site.
func answeredPreflights(s *subject) []Finding {
	return s.eachServer(func(_ *survey.Server, found survey.Survey) (all []Finding) {
		var noted [][]string
		for _, use := range found.Uses {
			site := use.Scope.Hosts
			if preflightOf(use) != "" || !guardsUpstream(found, use) || hasCORS(found, use.Scope) ||
				slices.ContainsFunc(noted, func(hosts []string) bool { return slices.Equal(hosts, site) }) {
				continue
			}
			noted = append(noted, site)
			all = append(all, Finding{What: "the gate answers CORS preflights, and no auth_cors does before", Where: use.Where, Mark: markOf(use)})
		}
		return all
	})
}

func forwardedPreflights(s *subject) []Finding {
	return s.eachServer(func(_ *survey.Server, found survey.Survey) (all []Finding) {
		for _, use := range found.Uses {
			if preflightOf(use) == "forward" {
				all = append(all, Finding{What: "CORS preflights go on to the upstream", Where: use.Where, Mark: markOf(use)})
			}
		}
		return all
	})
}

// preflightOf returns the line `preflight` of a gate. A gate of Caddy has none,
// and asks for a credential.
func preflightOf(use survey.Use) string {
	var gate struct {
		Preflight string `json:"preflight"`
	}
	if use.Handler != "require_auth" || json.Unmarshal(use.Config, &gate) != nil {
		return "answer"
	}
	return gate.Preflight
}

func guardsUpstream(found survey.Survey, use survey.Use) bool {
	return slices.ContainsFunc(found.Rows, func(row survey.Row) bool {
		return row.Handler.Name == "reverse_proxy" && slices.ContainsFunc(row.Gates, func(g survey.Gate) bool { return g.Where == use.Where })
	})
}

func hasCORS(found survey.Survey, scope survey.Region) bool {
	return slices.ContainsFunc(found.CORS, func(seen survey.Seen) bool {
		_, meets := seen.Scope.And(scope)
		return meets
	})
}
