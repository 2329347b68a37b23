package openapi

import (
	"encoding/json"
	"regexp"

	"go.yaml.in/yaml/v3"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/routes"
)

// Gate is what a gate requires.
type Gate struct {
	// Schemes are the accepted ones, and Names their names.
	Names   []string
	Schemes []any
	// Optional gates let callers without credentials pass.
	Optional bool
	// Silent gates answer no 403. Hidden ones answer no 401 either, and the
	// document does not mention them.
	Silent, Hidden bool
	Requirement    *authz.Requirement
	// Declared says that the gate requires what a document of the API declares.
	Declared bool
}

// adds reports whether the gate requires more than a document declares.
func (g Gate) adds() bool { return !g.Declared || len(g.Requirement.Rules()) > 0 }

// GateDescriber is a running gate that describes what it requires.
type GateDescriber interface {
	DescribeGate() Gate
}

// guard describes a gate in the terms of OpenAPI.
func (g Gate) guard() openapi.Guard {
	guard := openapi.Guard{
		Optional: g.Optional, Silent: g.Silent,
		Scopes: g.Requirement.ChallengeScopes(), Requires: g.Requirement.DescribeDenial(), Forbids: g.Requirement.Forbids(),
	}
	for i, scheme := range g.Schemes {
		documenter, ok := scheme.(authn.SecuritySchemer)
		if !ok {
			continue
		}
		for _, described := range documenter.SecuritySchemes() {
			name := componentName.ReplaceAllString(g.Names[i], "_")
			if described.Variant != "" {
				name += "_" + described.Variant
			}
			if object := objectOf(described); object != nil {
				guard.Schemes = append(guard.Schemes, openapi.Scheme{Name: name, Object: object})
			}
		}
	}
	return guard
}

// componentName matches what the name of a component may not contain.
var componentName = regexp.MustCompile(`[^A-Za-z0-9._-]`)

func objectOf(scheme authn.SecurityScheme) *yaml.Node {
	text, err := json.Marshal(scheme)
	if err != nil {
		return nil
	}
	document, err := openapi.Parse(text)
	if err != nil {
		return nil
	}
	return document.Content[0]
}

// Site finds the gates on the way to an operation.
type Site struct {
	Config *routes.Config
	Server *routes.Server
	// Host is the host name of the site; empty for all of the server.
	Host string
	// Describe returns what a gate requires; ok is false for gates of other
	// plugins.
	Describe func(routes.Gate) (described Gate, ok bool)
}

// Merge adds to a document what the gates of sites require.
func Merge(document *yaml.Node, sites []Site) error {
	return openapi.Merge(document, func(operation openapi.Operation) (ways openapi.Ways) {
		for _, site := range sites {
			ways = append(ways, site.ways(operation)...)
		}
		return ways
	})
}

// Components makes a document with what operations could refer to.
func Components(sites []Site) *yaml.Node {
	var guards []openapi.Guard
	for _, site := range sites {
		for _, use := range site.Config.Walk(site.Server, site.region()).Gates {
			if described, ok := site.Describe(use.Gate); ok && !described.Hidden {
				guards = append(guards, described.guard())
			}
		}
	}
	return openapi.Components(guards)
}

func (s Site) region() (all routes.Region) {
	if s.Host != "" {
		all.Hosts = []string{s.Host}
	}
	return all
}

// ways follows an operation through the site. It leaves out a way that is hidden
// or that another plugin guards.
func (s Site) ways(operation openapi.Operation) (ways openapi.Ways) {
	region := s.region()
	region.Methods = []string{operation.Method}
	region.Paths = routes.Paths(operation.Path).Paths
	for _, row := range s.Config.Walk(s.Server, region).Rows {
		if row.Kind != routes.Answers {
			continue
		}
		way, visible := []openapi.Guard{}, len(row.Gates) == 0
		hidden := false
		for _, gate := range row.Gates {
			if described, ok := s.Describe(gate); ok {
				visible, hidden = true, hidden || described.Hidden
				if described.adds() {
					way = append(way, described.guard())
				}
			}
		}
		if visible && !hidden {
			ways = append(ways, way)
		}
	}
	return ways
}
