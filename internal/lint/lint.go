// Package lint finds valid but dangerous choices in a configuration.
package lint

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// Level is the severity of a finding.
type Level string

// The levels.
const (
	// Warning: an attacker may get access or credentials.
	Warning Level = "warning"
	// Note: it is often right, but worth a check.
	Note Level = "note"
)

// Rule is a check of a configuration.
type Rule struct {
	ID    string `json:"id"`
	Level Level  `json:"level"`
	// Danger is the possible consequence, and Remedy the correction.
	Danger string `json:"danger"`
	Remedy string `json:"remedy"`

	find func(*subject) []Finding
}

// Finding is a position where a rule applies.
type Finding struct {
	Rule *Rule
	// What describes the finding.
	What string
	// Where is the position in the JSON, and Query the position in a Caddyfile.
	Where string
	Query sourcepos.Query
}

// subject is the configuration for the rules.
type subject struct {
	config   *routes.Config
	analyses []routes.Analysis // one for each server
	schemes  []scheme
}

// scheme is a declared scheme with the members for the rules.
type scheme struct {
	name, where string
	gate        *routes.PlacedGate // the gate whose block declares it; nil for the app

	Kind           string        `json:"scheme"`
	Issuer         string        `json:"issuer"`
	Audiences      []string      `json:"audiences"`
	HMACSecret     block.Secrets `json:"hmac_secret"`
	AllowHTTP      []string      `json:"allow_http"`
	Tenants        []string      `json:"tenants"`
	AcceptIDTokens bool          `json:"accept_id_tokens"`
	ClockSkew      int64         `json:"clock_skew"` // nanoseconds
	TokenFrom      []location    `json:"token_from"`
	From           []location    `json:"from"`

	Introspection struct {
		ClientSecret string `json:"client_secret"`
	} `json:"introspection"`
}

type location struct {
	In   string `json:"in"`
	Name string `json:"name"`
}

// Rules are all rules.
func Rules() []*Rule {
	return slices.Concat(schemeRules, routeRules, doorRules, forwardRules, documentRules, preflightRules)
}

// Run applies all rules to a configuration.
func Run(config *routes.Config) []Finding {
	s := &subject{config: config}
	for i := range config.Servers {
		s.analyses = append(s.analyses, config.Walk(&config.Servers[i], routes.Region{}))
	}
	s.addSchemes(config.Schemes, "/config/apps/auth/schemes/", nil)
	for i := range s.analyses {
		for j := range s.analyses[i].Gates {
			use := &s.analyses[i].Gates[j]
			var gate struct {
				Inline map[string]json.RawMessage `json:"inline"`
			}
			if json.Unmarshal(use.Config, &gate) == nil {
				s.addSchemes(gate.Inline, use.Where+"/inline/", use)
			}
		}
	}
	var found []Finding
	for _, rule := range Rules() {
		for _, finding := range rule.find(s) {
			finding.Rule = rule
			if !slices.ContainsFunc(found, finding.same) {
				found = append(found, finding)
			}
		}
	}
	return found
}

func (f Finding) same(other Finding) bool {
	return f.Rule == other.Rule && f.What == other.What && f.Where == other.Where
}

func (s *subject) addSchemes(declared map[string]json.RawMessage, where string, gate *routes.PlacedGate) {
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		one := scheme{name: name, where: where + name, gate: gate}
		if json.Unmarshal(declared[name], &one) == nil {
			s.schemes = append(s.schemes, one)
		}
	}
}

// scheme returns the scheme of a gate by its name.
func (s *subject) scheme(gate routes.Gate, name string) (scheme, bool) {
	for _, one := range slices.Backward(s.schemes) {
		if one.name == name && (one.gate == nil || one.gate.Where == gate.Where) {
			return one, true
		}
	}
	return scheme{}, false
}

// at returns a finding about a line in a scheme's block.
func (s scheme) at(message, member string, lines ...sourcepos.Line) Finding {
	query := sourcepos.Query{Lines: []sourcepos.Line{{Names: []string{"auth"}}}}
	if s.gate != nil {
		query = queryOf(*s.gate)
	}
	query.Lines = append(query.Lines, sourcepos.Line{Names: []string{s.Kind}, Words: []string{s.name}})
	query.Lines = append(query.Lines, lines...)
	return Finding{What: "scheme " + s.name + ": " + message, Where: s.where + "/" + member, Query: query}
}

// directives are the names in a Caddyfile of handlers that guard.
var directives = map[string][]string{"authentication": {"basic_auth", "basicauth"}}

// FindingAt is a finding at a gate.
func FindingAt(gate routes.PlacedGate) Finding {
	return Finding{Where: gate.Where, Query: queryOf(gate)}
}

// queryOf is the position of a gate.
func queryOf(use routes.PlacedGate) sourcepos.Query {
	names := directives[use.Handler]
	if names == nil {
		names = []string{use.Handler}
	}
	line := sourcepos.Line{Names: names, Words: slices.Clone(use.Schemes)}
	for _, region := range use.Match {
		line.Words = append(line.Words, region.Methods...)
		for _, path := range region.Paths {
			line.Words = append(line.Words, path...)
		}
	}
	var required struct {
		Scopes    []string `json:"scopes"`
		AnyScopes []string `json:"any_scopes"`
		Roles     []string `json:"roles"`
	}
	if json.Unmarshal(use.Config, &required) == nil {
		line.Words = slices.Concat(line.Words, required.Scopes, required.AnyScopes, required.Roles)
	}
	return sourcepos.Query{Hosts: use.Scope.Hosts, Lines: []sourcepos.Line{line}}
}

// queryOfRow is the position of the answering handler.
func queryOfRow(row routes.Row) sourcepos.Query {
	words := strings.Fields(row.Handler.Target())
	for _, path := range row.Paths {
		words = append(words, path...)
	}
	return sourcepos.Query{Hosts: row.Hosts, Lines: []sourcepos.Line{{Names: row.Handler.Directive(), Words: words}}}
}

// describeRequests describes the requests of a row, without those that go elsewhere.
func describeRequests(row routes.Row) string {
	if len(row.Paths) > 0 && len(row.Except) > 0 {
		return "everything else of " + describePaths(row.Paths)
	}
	return describePaths(row.Paths)
}

func describePaths(path []routes.Path) string {
	var words []string
	for _, alternative := range path {
		words = append(words, strings.Join(alternative, "&"))
	}
	if len(words) == 0 {
		return "everything else"
	}
	return strings.Join(words, " ")
}
