package command

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/mcp"
	"github.com/excorp/caddy-require-auth/openapi"
)

// gate is a gate in a report.
type gate struct {
	Handler  string   `json:"handler"`
	Schemes  []string `json:"schemes,omitempty"`
	Optional bool     `json:"optional,omitempty"`
	// ReportOnly gates let every request pass.
	ReportOnly bool `json:"report_only,omitempty"`
	// Requires is the requirement for an authenticated caller.
	Requires string `json:"requires,omitempty"`
	Where    string `json:"where"`
}

func newGate(passed routes.Gate) gate {
	described := gate{Handler: passed.Handler, Schemes: passed.Schemes, Optional: passed.Optional, ReportOnly: passed.ReportOnly, Where: passed.Where}
	var required struct {
		authz.Requirement
		MCP     *mcp.Policy     `json:"mcp"`
		OpenAPI *openapi.Policy `json:"openapi"`
	}
	if passed.Handler == "require_auth" && json.Unmarshal(passed.Config, &required) == nil {
		parts := []string{required.Describe(), required.MCP.Describe(), required.OpenAPI.Describe()}
		described.Requires = strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "; ")
	}
	return described
}

func (g gate) String() string {
	words := strings.Join(g.Schemes, " or ")
	if g.Handler != "require_auth" {
		words = strings.TrimSpace(g.Handler + " " + words)
	}
	if g.Optional {
		words = "optional " + words
	}
	if g.ReportOnly {
		words = "report_only " + words
	}
	if g.Requires != "" {
		words += ": " + g.Requires
	}
	return words
}

// takes returns what a request needs to pass.
func (r route) takes() string {
	var gates []string
	for i, gate := range r.Gates {
		if !r.repeats(i) {
			gates = append(gates, gate.String())
		}
	}
	passed := strings.Join(gates, " + ")
	switch {
	case r.Denied != "":
		return "OPEN (denied, then " + r.Denied + ")"
	case r.Allowed:
		return "open (allowed)"
	case r.Open && passed != "":
		return "OPEN (" + passed + ")"
	case r.Open:
		return "OPEN"
	case passed != "":
		return passed
	}
	return string(r.Kind)
}

// repeats reports whether another gate has the same requirement.
func (r route) repeats(i int) bool {
	one := r.Gates[i]
	for j, other := range r.Gates {
		same := one.Handler == other.Handler && slices.Equal(one.Schemes, other.Schemes) && one.Optional == other.Optional && one.ReportOnly == other.ReportOnly
		if same && i != j && (one.Requires == "" && other.Requires != "" || one.Requires == other.Requires && j < i) {
			return true
		}
	}
	return false
}

func (s site) title() string {
	hosts := strings.Join(s.Hosts, ", ")
	if hosts == "" {
		hosts = "any host"
	}
	return hosts + " (" + s.Server + ", " + strings.Join(s.Listen, " ") + ")"
}

func methodsOf(set routes.Set) string {
	if len(set.Methods) == 0 {
		return "any"
	}
	return strings.Join(set.Methods, ",")
}

// requestsOf describes the requests of a region, apart from host and method.
func requestsOf(region routes.Region) string {
	var words []string
	for _, path := range region.Paths {
		words = append(words, strings.Join(path, "&"))
	}
	text := strings.Join(words, " ")
	rest := false
	var conditions []string
	for _, condition := range region.Other {
		conditions = append(conditions, conditionText(condition))
	}
	for _, except := range region.Except {
		if len(except.Other) == 1 && len(except.Paths)+len(except.Hosts)+len(except.Methods) == 0 {
			conditions = append(conditions, "not "+conditionText(except.Other[0]))
			continue
		}
		rest = true
	}
	switch {
	case text == "" && rest:
		text = "everything else"
	case text == "":
		text = "/*"
	case rest:
		text += " otherwise"
	}
	return strings.Join(append([]string{text}, conditions...), ", ")
}

// maxCondition bounds the printed part of a matcher, in bytes.
const maxCondition = 60

func conditionText(condition routes.Condition) string {
	value := []rune(strings.ReplaceAll(condition.Value, "\t", " "))
	if len(value) > maxCondition {
		value = append(value[:maxCondition-1], '…')
	}
	return strings.TrimSpace(condition.Matcher + " " + string(value))
}

// answerOf describes the answering handler, and its path.
func answerOf(row routes.Row) string {
	text := row.Handler.Target()
	switch view := row.View; {
	case !view.MovedPath():
	case view.Constant != "":
		text += " as " + view.Constant
	case view.Stripped != "":
		text += " without " + view.Stripped
	case view.Added != "":
		text += " below " + view.Added
	default:
		text += " rewritten"
	}
	return text
}
