package openapi

import (
	"encoding/json"
	"regexp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/routes"
)

// Gate is what a gate asks for.
type Gate struct {
	// Schemes are those it accepts, and Names what they are called.
	Names   []string
	Schemes []any
	// Optional gates let callers without credentials pass.
	Optional bool
	// Silent gates answer no 403, Hidden ones no 401 either: of those nothing
	// is said at all.
	Silent, Hidden bool
	Requirement    *authz.Requirement
}

// MetadataProvider is a running gate that can say what it asks for.
type Describer interface {
	DescribeGate() Gate
}

// guard puts a gate in the words of OpenAPI.
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

// componentName finds what may not stand in the name of a component.
var componentName = regexp.MustCompile(`[^A-Za-z0-9._-]`)

func objectOf(scheme authn.SecurityScheme) *openapi.Object {
	text, err := json.Marshal(scheme)
	if err != nil {
		return nil
	}
	object, err := openapi.Parse(text)
	if err != nil {
		return nil
	}
	return object
}

// Site answers which gates are on the way to an operation.
type Site struct {
	Config *routes.Config
	Server *routes.Server
	// Host is the host name of the site; empty for all of the server.
	Host string
	// Metadata says what a gate asks for; ok is false for gates that are not
	// of this plugin.
	Describe func(routes.Gate) (described Gate, ok bool)
}

// Merge adds to a document what the gates of sites ask for.
func Merge(document *openapi.Object, sites []Site) error {
	return openapi.Merge(document, func(asked openapi.Operation) (ways openapi.Ways) {
		for _, site := range sites {
			ways = append(ways, site.ways(asked)...)
		}
		return ways
	})
}

// Components adds to a document what its operations could refer to.
func Components(document *openapi.Object, sites []Site) {
	var guards []openapi.Guard
	for _, site := range sites {
		for _, use := range site.Config.Walk(site.Server, site.region()).Gates {
			if described, ok := site.Describe(use.Gate); ok && !described.Hidden {
				guards = append(guards, described.guard())
			}
		}
	}
	openapi.Components(document, guards)
}

func (s Site) region() (all routes.Region) {
	if s.Host != "" {
		all.Hosts = []string{s.Host}
	}
	return all
}

// ways follows an operation through the site. A way of which nothing can be
// said, because it is hidden or guarded by somebody else, is left out.
func (s Site) ways(asked openapi.Operation) (ways openapi.Ways) {
	region := s.region()
	region.Methods = []string{asked.Method}
	region.Paths = routes.Paths(asked.Path).Paths
	for _, row := range s.Config.Walk(s.Server, region).Rows {
		if row.Kind != routes.Answers {
			continue
		}
		way, known := []openapi.Guard{}, len(row.Gates) == 0
		hidden := false
		for _, gate := range row.Gates {
			if described, ok := s.Describe(gate); ok {
				known, hidden = true, hidden || described.Hidden
				way = append(way, described.guard())
			}
		}
		if known && !hidden {
			ways = append(ways, way)
		}
	}
	return ways
}
