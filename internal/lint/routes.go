package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/routes"
)

// routeRules check which handlers requests can reach.
var routeRules = []*Rule{
	{
		ID: "bypass", Level: Warning,
		Danger: "an earlier handler answers requests that the gate matches, so the gate never sees them",
		Remedy: "Put the gate in front, or exclude these paths from its matcher.",
		find:   bypasses,
	},
	{
		ID: "rewrite-before-gate", Level: Warning,
		Danger: "the gate compares the rewritten path, so requests for the path in its matcher pass it by",
		Remedy: "Write the gate for the rewritten path, or put it in front of the rewrite with `route`.",
		find:   missedGates,
	},
	{
		ID: "rewrite-after-gate", Level: Warning,
		Danger: "the upstream gets a guarded path for a request whose own path is not guarded",
		Remedy: "Guard this path too, or put the gate behind the rewrite.",
		find:   sideEntrances,
	},
	{
		ID: "errors-serve-guarded", Level: Warning,
		Danger: "a denied request gets the protected content as the body of the denial",
		Remedy: "Rewrite to a page first, such as `rewrite * /{err.status_code}.html`, or match the intended statuses.",
		find:   servedDenials,
	},
	{
		ID: "errors-lose-status", Level: Warning,
		Danger: "the server for error pages answers 200, and so a denial becomes a success to every program",
		Remedy: "Keep the status: `replace_status {err.status_code}` in the block of `reverse_proxy`.",
		find:   lostStatus,
	},
	{
		ID: "plain-http", Level: Warning,
		Danger: "anyone on the network path can read and replay passwords and keys",
		Remedy: "Serve the site by HTTPS; behind a proxy that does, listen on the address that only it can reach.",
		find:   plainSites,
	},
	{
		ID: "open-beside-guarded", Level: Note,
		Danger: "it may have been forgotten",
		Remedy: "If it is meant, leave it, and have `caddy auth routes --fail-on-open --allow <path>` say so in CI.",
		find:   openBeside,
	},
	{
		ID: "prefix-without-root", Level: Note,
		Danger: "`/x/*` does not match `/x`, and many upstreams answer both alike",
		Remedy: "Match both: `@name path /x /x/*`.",
		find:   openRoots,
	},
	{
		ID: "path-spelling", Level: Note,
		Danger: "the gate compares the case and the escaping, and an upstream may ignore both",
		Remedy: "Use the matcher `path` without `%`, which compares the decoded path without case, or begin the expression with (?i).",
		find:   spellings,
	},
	{
		ID: "cors-any-origin", Level: Warning,
		Danger: "scripts of every page on the web may read the answers to callers who hold a token or are on this network",
		Remedy: "Name the origins of your pages: `auth_cors https://web.example`.",
		find: corsRule(func(c corsConfig) string {
			if slices.Contains(c.Origins, "*") {
				return "auth_cors for every origin on a site with gates"
			}
			return ""
		}),
	},
	{
		ID: "cors-wildcard", Level: Warning,
		Danger: "an attacker who controls one host below the domain can act as its visitors here",
		Remedy: "Name each origin, or leave `credentials` out.",
		find: corsRule(func(c corsConfig) string {
			for _, origin := range c.Origins {
				if c.Credentials && strings.Contains(origin, "*.") {
					return "auth_cors with credentials for " + origin
				}
			}
			return ""
		}),
	},
}

// eachServer joins the findings of all servers.
func (s *subject) eachServer(find func(server *routes.Server, found routes.Analysis) []Finding) (all []Finding) {
	for i := range s.analyses {
		all = append(all, find(&s.config.Servers[i], s.analyses[i])...)
	}
	return all
}

func bypasses(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			for _, row := range found.Rows {
				if row.Order < gate.Order && row.Open() && gate.Meets(row) {
					message := fmt.Sprintf("%s is answered by %s before the gate is reached", describePaths(row.Paths), row.Handler.Name)
					all = append(all, Finding{What: message, Where: row.Handler.Where, Query: queryOfRow(row)})
				}
			}
		}
		return all
	})
}

func missedGates(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, row := range found.Rows {
			for _, missed := range row.Missed {
				i := slices.IndexFunc(found.Gates, func(u routes.PlacedGate) bool { return u.Where == missed.Where })
				if !row.Open() || i < 0 || !namesPaths(missed.Match) || !missed.Match.Meets(row.Region, routes.View{}) {
					continue
				}
				message := fmt.Sprintf("requests for %s are rewritten before the gate and pass it by", pathsOf(missed.Match))
				all = append(all, Finding{What: message, Where: missed.Where, Query: queryOf(found.Gates[i])})
			}
		}
		return all
	})
}

func namesPaths(m routes.Matcher) bool {
	return slices.ContainsFunc(m, func(r routes.Region) bool { return len(r.Paths) > 0 })
}

func pathsOf(m routes.Matcher) string {
	var paths []routes.Path
	for _, region := range m {
		paths = append(paths, region.Paths...)
	}
	return describePaths(paths)
}

// sideEntrances finds open requests that reach an upstream on a path that is guarded
// for others.
func sideEntrances(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, row := range found.Rows {
			if !row.Open() || !row.View.MovedPath() || row.View.Files || row.Handler.Name == "static_response" {
				continue
			}
			for _, gate := range found.Gates {
				if !namesPaths(gate.Match) || !guardsSame(found, gate, row) || !gate.Match.Meets(row.Region, row.View) {
					continue
				}
				message := fmt.Sprintf("requests for %s reach the upstream as %s without passing the gate", describePaths(row.Paths), pathsOf(gate.Match))
				all = append(all, Finding{What: message, Where: row.Handler.Where, Query: queryOfRow(row)})
			}
		}
		return all
	})
}

// guardsSame reports whether a gate guards the target of a row for other requests.
func guardsSame(found routes.Analysis, gate routes.PlacedGate, row routes.Row) bool {
	return slices.ContainsFunc(found.Rows, func(other routes.Row) bool {
		passes := slices.ContainsFunc(other.Gates, func(g routes.Gate) bool { return g.Where == gate.Where })
		return passes && other.Handler.Target() == row.Handler.Target()
	})
}

func openBeside(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, row := range found.Rows {
			guarded := slices.ContainsFunc(found.Rows, func(other routes.Row) bool {
				return len(other.Gates) > 0 && !other.Open() && slices.Equal(other.Hosts, row.Hosts)
			})
			// A gate answers the paths of its facade, metadata and keys itself. Its unanswered
			// paths are as open as the rest of the site, which has a note.
			listed := row.Rest && slices.ContainsFunc(found.Rows, func(other routes.Row) bool {
				return other.Open() && !other.Rest && other.Handler.Where == row.Handler.Where && slices.Equal(other.Hosts, row.Hosts)
			})
			if row.Open() && guarded && !listed {
				message := describeRequests(row) + " is open, while other paths of the site are guarded"
				all = append(all, Finding{What: message, Where: row.Handler.Where, Query: queryOfRow(row)})
			}
		}
		return all
	})
}

func openRoots(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			for _, root := range roots(gate.Match) {
				if slices.ContainsFunc(found.Rows, func(row routes.Row) bool { return opens(row, gate, root) }) {
					message := fmt.Sprintf("%s/* is guarded, %s is open", root, root)
					all = append(all, Finding{What: message, Where: gate.Where, Query: queryOf(gate)})
				}
			}
		}
		return all
	})
}

// roots are the paths that match except for a missing slash.
func roots(m routes.Matcher) (all []string) {
	for _, region := range m {
		for _, path := range region.Paths {
			root, prefix := strings.CutSuffix(path[0], "/*")
			if prefix && len(path) == 1 && root != "" && !strings.ContainsAny(root, "*?[{%") {
				all = append(all, root)
			}
		}
	}
	return all
}
