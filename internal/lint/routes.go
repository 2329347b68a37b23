package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/survey"
)

// routeRules look at what requests can reach.
var routeRules = []*Rule{
	{
		ID: "bypass", Level: Warning,
		Danger: "a handler that comes first answers requests that the gate matches, and the gate is never asked",
		Remedy: "Put the gate in front, or keep these paths out of what it matches so that the reader sees it.",
		find:   bypasses,
	},
	{
		ID: "rewrite-before-gate", Level: Warning,
		Danger: "the gate compares the rewritten path, so requests for the path that is written there come past it",
		Remedy: "Write the gate for the path that the rewrite makes, or put it in front of the rewrite with `route`.",
		find:   missedGates,
	},
	{
		ID: "rewrite-after-gate", Level: Warning,
		Danger: "the upstream is asked for a path that is guarded, for a request whose own path is not",
		Remedy: "Guard this path too, or put the gate behind the rewrite.",
		find:   sideEntrances,
	},
	{
		ID: "errors-serve-guarded", Level: Warning,
		Danger: "a denied request gets what it was denied, as the body of the denial",
		Remedy: "Rewrite to a page first, such as `rewrite * /{err.status_code}.html`, or match the statuses that are meant.",
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
		Danger: "passwords and keys can be read and used again by everybody on the way",
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
		Danger: "it is compared with case, or with one way of escaping, and an upstream may not care about either",
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
		Danger: "whoever gets hold of one host below the domain can act as its visitors here",
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

// eachServer joins what is found on all servers.
func (s *subject) eachServer(find func(server *survey.Server, found survey.Survey) []Finding) (all []Finding) {
	for i := range s.surveys {
		all = append(all, find(&s.config.Servers[i], s.surveys[i])...)
	}
	return all
}

func bypasses(s *subject) []Finding {
	return s.eachServer(func(_ *survey.Server, found survey.Survey) (all []Finding) {
		for _, use := range found.Uses {
			for _, row := range found.Rows {
				if row.Order < use.Order && row.Open() && meets(row, use) {
					what := fmt.Sprintf("%s is answered by %s before the gate is reached", said(row.Paths), row.Handler.Name)
					all = append(all, Finding{What: what, Where: row.Handler.Where, Mark: markOfRow(row)})
				}
			}
		}
		return all
	})
}

// meets reports whether some requests of a row are meant by a gate.
func meets(row survey.Row, use survey.Use) bool {
	shared, ok := row.Region.And(use.Scope)
	return ok && use.Match.Meets(shared, use.View)
}

func missedGates(s *subject) []Finding {
	return s.eachServer(func(_ *survey.Server, found survey.Survey) (all []Finding) {
		for _, row := range found.Rows {
			for _, missed := range row.Missed {
				i := slices.IndexFunc(found.Uses, func(u survey.Use) bool { return u.Where == missed.Where })
				if !row.Open() || i < 0 || !namesPaths(missed.Match) || !missed.Match.Meets(row.Region, survey.View{}) {
					continue
				}
				what := fmt.Sprintf("requests for %s are rewritten before the gate and pass it by", pathsOf(missed.Match))
				all = append(all, Finding{What: what, Where: missed.Where, Mark: markOf(found.Uses[i])})
			}
		}
		return all
	})
}

func namesPaths(m survey.Matcher) bool {
	return slices.ContainsFunc(m, func(r survey.Region) bool { return len(r.Paths) > 0 })
}

func pathsOf(m survey.Matcher) string {
	var paths []survey.Path
	for _, region := range m {
		paths = append(paths, region.Paths...)
	}
	return said(paths)
}

// sideEntrances finds open requests that reach an upstream on a path that is
// guarded for others.
func sideEntrances(s *subject) []Finding {
	return s.eachServer(func(_ *survey.Server, found survey.Survey) (all []Finding) {
		for _, row := range found.Rows {
			if !row.Open() || !row.View.MovedPath() || row.View.Files || row.Handler.Name == "static_response" {
				continue
			}
			for _, use := range found.Uses {
				if !namesPaths(use.Match) || !guardsSame(found, use, row) || !use.Match.Meets(row.Region, row.View) {
					continue
				}
				what := fmt.Sprintf("requests for %s reach the upstream as %s without passing the gate", said(row.Paths), pathsOf(use.Match))
				all = append(all, Finding{What: what, Where: row.Handler.Where, Mark: markOfRow(row)})
			}
		}
		return all
	})
}

// guardsSame reports whether a gate guards what a row reaches, for others.
func guardsSame(found survey.Survey, use survey.Use, row survey.Row) bool {
	return slices.ContainsFunc(found.Rows, func(other survey.Row) bool {
		passes := slices.ContainsFunc(other.Gates, func(g survey.Gate) bool { return g.Where == use.Where })
		return passes && other.Handler.Target() == row.Handler.Target()
	})
}

func openBeside(s *subject) []Finding {
	return s.eachServer(func(_ *survey.Server, found survey.Survey) (all []Finding) {
		for _, row := range found.Rows {
			guarded := slices.ContainsFunc(found.Rows, func(other survey.Row) bool {
				return len(other.Gates) > 0 && !other.Open() && slices.Equal(other.Hosts, row.Hosts)
			})
			if row.Open() && guarded {
				what := saidOf(row) + " is open, while other paths of the site are guarded"
				all = append(all, Finding{What: what, Where: row.Handler.Where, Mark: markOfRow(row)})
			}
		}
		return all
	})
}

func openRoots(s *subject) []Finding {
	return s.eachServer(func(_ *survey.Server, found survey.Survey) (all []Finding) {
		for _, use := range found.Uses {
			for _, root := range roots(use.Match) {
				if slices.ContainsFunc(found.Rows, func(row survey.Row) bool { return opens(row, use, root) }) {
					what := fmt.Sprintf("%s/* is guarded, %s is open", root, root)
					all = append(all, Finding{What: what, Where: use.Where, Mark: markOf(use)})
				}
			}
		}
		return all
	})
}

// roots are the paths that lack only the slash to match.
func roots(m survey.Matcher) (all []string) {
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
