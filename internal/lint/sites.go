package lint

import (
	"encoding/json"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// replayable are the schemes whose credentials can be replayed.
var replayable = []string{"basic", "api_key"}

func plainSites(s *subject) []Finding {
	return s.eachServer(func(server *routes.Server, found routes.Analysis) (all []Finding) {
		if server.TLS || len(server.Listen) > 0 && !slices.ContainsFunc(server.Listen, isPublic) {
			return nil
		}
		for _, gate := range found.Gates {
			if hosts := gate.Scope.Hosts; len(hosts) > 0 && !slices.ContainsFunc(hosts, isPublic) {
				continue
			}
			for _, name := range gate.Schemes {
				if one, ok := s.scheme(gate.Gate, name); ok && slices.Contains(replayable, one.Kind) {
					message := "scheme " + name + " is accepted on a plain http site"
					all = append(all, Finding{What: message, Where: gate.Where, Query: queryOf(gate)})
				}
			}
		}
		return all
	})
}

// isPublic reports whether an address or a host name can be reached from other
// machines.
func isPublic(address string) bool {
	if network, rest, ok := strings.Cut(address, "/"); ok {
		if strings.HasPrefix(network, "unix") {
			return false
		}
		address = rest
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err != nil || !ip.IsLoopback()
}

// corsConfig are the members of an `auth_cors` handler.
type corsConfig struct {
	Origins     []string `json:"origins"`
	Credentials bool     `json:"credentials"`
}

// corsRule checks the `auth_cors` handlers of sites with gates.
func corsRule(check func(corsConfig) string) func(*subject) []Finding {
	return func(s *subject) []Finding {
		return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
			for _, handler := range found.CORS {
				var config corsConfig
				if json.Unmarshal(handler.Config, &config) != nil || !hasGates(found, handler.Scope) {
					continue
				}
				if message := check(config); message != "" {
					query := sourcepos.Query{Hosts: handler.Scope.Hosts, Lines: []sourcepos.Line{{Names: []string{"auth_cors"}, Words: config.Origins}}}
					all = append(all, Finding{What: message, Where: handler.Where, Query: query})
				}
			}
			return all
		})
	}
}

func hasGates(found routes.Analysis, scope routes.Region) bool {
	return slices.ContainsFunc(found.Gates, func(gate routes.PlacedGate) bool {
		_, meets := gate.Scope.And(scope)
		return meets
	})
}

// spellings finds gates whose matcher depends on the spelling of a path.
func spellings(s *subject) []Finding {
	return s.eachServer(func(_ *routes.Server, found routes.Analysis) (all []Finding) {
		for _, gate := range found.Gates {
			for _, region := range gate.Match {
				if message := spelling(region); message != "" {
					all = append(all, Finding{What: message, Where: gate.Where, Query: queryOf(gate)})
				}
			}
		}
		return all
	})
}

func spelling(region routes.Region) string {
	for _, path := range region.Paths {
		if strings.Contains(path[0], "%") {
			return "the gate matches " + path[0] + ", in this spelling only"
		}
	}
	for _, condition := range region.Other {
		if condition.Matcher == "path_regexp" && !strings.Contains(condition.Value, "(?i)") {
			return "the gate matches a path by a regular expression, with case"
		}
	}
	return ""
}
