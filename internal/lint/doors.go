package lint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// doorRules find ways past a gate that its matcher does not show.
var doorRules = []*Rule{
	{
		ID: "report-only", Level: Warning,
		Danger: "`report_only` lets every request pass",
		Remedy: "Read in the log which requests would be denied (`would_deny`), then remove the line.",
		find:   reporting,
	},
	{
		ID: "openapi-undeclared", Level: Warning,
		Danger: "`undeclared allow` passes operations outside the OpenAPI document to every authenticated caller, without a scope",
		Remedy: "Add the operations to the document, and remove the line.",
		find:   undeclaredAllowed,
	},
	{
		ID: "openapi-without-tls", Level: Warning,
		Danger: "an attacker on the network path can change the OpenAPI document, and so the requirements of the gate",
		Remedy: "Use https, or a file.",
		find:   documentWithoutTLS,
	},
	{
		ID: "method-without-gate", Level: Warning,
		Danger: "a request with another method passes no gate, and an upstream may answer it as it answers GET, or do what it asks",
		Remedy: "Write the gate for all others with `not method GET HEAD`, or let one gate match every method.",
		find:   openMethods,
	},
	{
		ID: "path-info", Level: Warning,
		Danger: "PHP runs the script before `.php/` with the rest as its path, so a front controller serves a guarded path under another one",
		Remedy: "Match these paths too, `*.php/*`, or let the gate match everything but what is public.",
		find:   pathInfos,
	},
	{
		ID: "prefix-with-dots", Level: Warning,
		Danger: "Caddy compares `/x/.` and `/x/y/..` as `/x`, and an upstream reads both as `/x/`",
		Remedy: "Match both: `@name path /x /x/*`.",
		find:   dottedPrefixes,
	},
	{
		ID: "identity-before-gate", Level: Warning,
		Danger: "the placeholder is empty there, so every caller gets the content for no caller",
		Remedy: "Put the gate in front with `route`.",
		find:   earlyIdentities,
	},
	{
		ID: "error-log", Level: Warning,
		Danger: "Caddy writes the request to its default logger when an upstream fails, with every field but Authorization and Cookie, and with the query",
		Remedy: "Put the filter on the default logger: the global option `log` with `format filter`, as docs/operations.md shows.",
		find:   shownInLog,
	},
}

// reporting finds gates that only report.
func reporting(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			if gate.ReportOnly {
				all = append(all, Finding{What: "the gate denies no request", Where: gate.Where, Query: queryOf(gate)})
			}
		}
		return all
	})
}

// goingBy finds gates with a certain use of an OpenAPI document.
func (s *subject) goingBy(message string, holds func(undeclared string, allowHTTP []string) bool) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			var config struct {
				OpenAPI struct {
					Undeclared string   `json:"undeclared"`
					AllowHTTP  []string `json:"allow_http"`
				} `json:"openapi"`
			}
			if json.Unmarshal(gate.Config, &config) == nil && holds(config.OpenAPI.Undeclared, config.OpenAPI.AllowHTTP) {
				all = append(all, Finding{What: message, Where: gate.Where, Query: queryOf(gate)})
			}
		}
		return all
	})
}

func undeclaredAllowed(s *subject) []Finding {
	return s.goingBy("the gate admits undeclared operations", func(undeclared string, _ []string) bool { return undeclared == "allow" })
}

func documentWithoutTLS(s *subject) []Finding {
	return s.goingBy("the gate fetches its OpenAPI document without TLS", func(_ string, allowHTTP []string) bool { return len(allowHTTP) > 0 })
}

// opens reports whether a row answers a path of the gate's route without a requirement.
func opens(row routes.Row, gate routes.PlacedGate, path string) bool {
	region, ok := gate.View.Sent(routes.Region{Set: routes.Set{Paths: []routes.Path{{path}}}})
	if !ok || !row.Open() {
		return false
	}
	part, ok := row.Region.And(region)
	if !ok {
		return false
	}
	_, meets := part.And(routes.Region{Set: routes.Set{Hosts: gate.Scope.Hosts}})
	return meets
}

// eachGate iterates over the gates that require authentication.
func (s *subject) eachGate(find func(found routes.Analysis, gate routes.PlacedGate) []Finding) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			if !gate.Optional {
				all = append(all, find(found, gate)...)
			}
		}
		return all
	})
}

// openMethods finds gates for some methods whose other methods are open.
func openMethods(s *subject) []Finding {
	return s.eachGate(func(found routes.Analysis, gate routes.PlacedGate) []Finding {
		for _, region := range gate.Match {
			if len(region.Methods) == 0 {
				continue
			}
			all, scope := region, gate.Scope
			all.Methods = nil
			if slices.Equal(scope.Methods, region.Methods) {
				scope.Methods = nil // the matcher of the gate excludes it
			}
			for _, row := range found.Rows {
				if row.Open() && len(row.Methods) == 0 && (routes.PlacedGate{Match: routes.Matcher{all}, Scope: scope, View: gate.View}).Meets(row) {
					message := fmt.Sprintf("the gate is for %s, and %s is open to methods that no gate names", strings.Join(region.Methods, ", "), describePaths(all.Paths))
					return []Finding{{What: message, Where: gate.Where, Query: queryOf(gate)}}
				}
			}
		}
		return nil
	})
}

// pathInfos finds gates on paths of PHP that a path with `.php/` bypasses.
func pathInfos(s *subject) []Finding {
	return s.eachGate(func(found routes.Analysis, gate routes.PlacedGate) []Finding {
		if !namesPaths(gate.Match) || !slices.ContainsFunc(found.Rows, func(row routes.Row) bool {
			return isPHP(row.Handler) && opens(row, gate, "/index.php/x")
		}) {
			return nil
		}
		message := fmt.Sprintf("the gate matches %s, and PHP answers /index.php/… and every other path with .php/ without it", pathsOf(gate.Match))
		return []Finding{{What: message, Where: gate.Where, Query: queryOf(gate)}}
	})
}

func isPHP(h routes.Handler) bool {
	var proxy struct {
		Transport struct {
			Protocol string `json:"protocol"`
		} `json:"transport"`
	}
	return h.Name == "reverse_proxy" && json.Unmarshal(h.Config, &proxy) == nil && proxy.Transport.Protocol == "fastcgi"
}

// dottedPrefixes finds gates on `/x/*` where `/x` is open and reaches an upstream.
func dottedPrefixes(s *subject) []Finding {
	return s.eachGate(func(found routes.Analysis, gate routes.PlacedGate) (all []Finding) {
		for _, root := range roots(gate.Match) {
			if slices.ContainsFunc(found.Rows, func(row routes.Row) bool {
				return row.Handler.Name == "reverse_proxy" && !isPHP(row.Handler) && opens(row, gate, root)
			}) {
				message := fmt.Sprintf("%s/* is guarded, and the upstream gets %s/. without the gate", root, root)
				all = append(all, Finding{What: message, Where: gate.Where, Query: queryOf(gate)})
			}
		}
		return all
	})
}

// earlyIdentities finds handlers that use the caller before a gate has authenticated
// it.
func earlyIdentities(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, early := range found.Early {
			if !hasGates(found, early.Scope) {
				continue
			}
			line := sourcepos.Line{Names: early.Directive(), Words: early.Texts()}
			message := fmt.Sprintf("%s uses %s before a gate has filled it", line.Names[0], strings.Join(line.Words, " "))
			all = append(all, Finding{What: message, Where: early.Where, Query: sourcepos.Query{Hosts: early.Scope.Hosts, Lines: []sourcepos.Line{line}}})
		}
		return all
	})
}
