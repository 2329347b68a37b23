package lint

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
	"github.com/excorp/caddy-require-auth/internal/routes"
)

// forwardRules check what upstreams are told about callers.
var forwardRules = []*Rule{{
	ID: "forward-credential", Level: Warning,
	Danger: "schemes look for credentials in this field, so it is removed by a gate only: on other routes the upstream gets what the client writes there, and may take it for an identity",
	Remedy: "Forward the identity in another field, such as X-User, or guard the other routes of the site.",
	find:   forwardedCredentials,
}}

// forwardedCredentials finds gates that forward an identity in a field of credentials,
// beside open routes to an upstream.
func forwardedCredentials(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			open := slices.ContainsFunc(found.Rows, func(row routes.Row) bool {
				_, meets := row.With(routes.Set{Hosts: gate.Scope.Hosts})
				return meets && row.Open() && row.Handler.Name == "reverse_proxy"
			})
			for _, name := range forwardedBy(gate) {
				if open && s.findsCredentialIn(name) {
					all = append(all, Finding{What: "the gate forwards " + name + ", and other routes reach an upstream without a gate", Where: gate.Where, Query: queryOf(gate)})
				}
			}
		}
		return all
	})
}

// forwardedBy returns the fields that a gate forwards.
func forwardedBy(gate routes.PlacedGate) []string {
	var config struct {
		Forward map[string]json.RawMessage `json:"forward"`
		Signed  map[string]json.RawMessage `json:"forward_signed"`
	}
	if !readGate(gate, &config) {
		return nil
	}
	return slices.Concat(slices.Sorted(maps.Keys(config.Forward)), slices.Sorted(maps.Keys(config.Signed)))
}

// findsCredentialIn reports whether a declared scheme looks for credentials in a header
// field.
func (s *subject) findsCredentialIn(name string) bool {
	if fieldname.Equal(name, "Authorization") || fieldname.Equal(name, "DPoP") {
		return true
	}
	return slices.ContainsFunc(s.schemes, func(declared scheme) bool {
		usual := declared.Kind == "api_key" && len(declared.From) == 0 && fieldname.Equal(name, "X-API-Key")
		return usual || slices.ContainsFunc(slices.Concat(declared.TokenFrom, declared.From), func(l location) bool {
			return l.In == "header" && fieldname.Equal(name, l.Name)
		})
	})
}
