package lint

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/routes"
)

// documentRules check that the documents of a gate are served.
var documentRules = []*Rule{{
	ID: "document-unreachable", Level: Note,
	Danger: "a client does not find where to get a token, or an upstream does not find the keys",
	Remedy: "A gate inside of `handle` or `route` serves its documents there only. Write `protected_resource <URL>`, or `auth_jwks`, in the site as well.",
	find:   unreachableDocuments,
}}

// unreachableDocuments finds gates whose document no route of the site serves.
func unreachableDocuments(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			for _, document := range documentsOf(gate) {
				region := routes.Paths(document.path)
				region.Hosts = gate.Scope.Hosts
				if !slices.ContainsFunc(found.Rows, func(row routes.Row) bool {
					_, meets := row.With(region)
					return meets && document.isServedBy(row.Handler)
				}) {
					all = append(all, Finding{What: "nothing serves " + document.path + ", which the gate names", Where: gate.Where, Query: queryOf(gate)})
				}
			}
		}
		return all
	})
}

// document is a document that a handler serves. That of a resource also has its origin.
type document struct{ handler, path, origin string }

// isServedBy reports whether a handler has the document. One of resources has those of
// all gates with the same origin.
func (d document) isServedBy(handler routes.Handler) bool {
	var config struct {
		Resources []struct {
			URL string `json:"resource"`
		} `json:"resources"`
	}
	if handler.Name != d.handler || json.Unmarshal(handler.Config, &config) != nil {
		return false
	}
	if d.origin == "" {
		return true
	}
	for _, resource := range config.Resources {
		if address, err := url.Parse(resource.URL); err == nil && originOf(address) == d.origin {
			return true
		}
	}
	return false
}

func originOf(address *url.URL) string { return strings.ToLower(address.Scheme + "://" + address.Host) }

// documentsOf returns the documents that a gate names.
func documentsOf(gate routes.PlacedGate) (all []document) {
	var config struct {
		Resource *struct {
			URL string `json:"resource"`
		} `json:"protected_resource"`
		Signed map[string]json.RawMessage `json:"forward_signed"`
	}
	if !readGate(gate, &config) {
		return nil
	}
	if config.Resource != nil {
		if address, err := url.Parse(config.Resource.URL); err == nil {
			all = append(all, document{"protected_resource", "/.well-known/oauth-protected-resource" + strings.TrimSuffix(address.EscapedPath(), "/"), originOf(address)})
		}
	}
	if len(config.Signed) > 0 {
		all = append(all, document{"auth_jwks", "/.well-known/auth/jwks.json", ""})
	}
	return all
}
