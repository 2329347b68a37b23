package survey

import (
	"slices"
	"strings"
)

// HostPatterns are the patterns of the host matchers of a server.
type HostPatterns []string

// HostPatterns returns the patterns of all host matchers.
func (s *Server) HostPatterns() HostPatterns {
	var found HostPatterns
	found.add(s.Routes)
	found.add(s.Errors)
	for _, route := range s.Named {
		found.add([]Route{route})
	}
	slices.Sort(found)
	return slices.Compact(found)
}

func (p *HostPatterns) add(routes []Route) {
	for _, route := range routes {
		for _, region := range route.Match {
			*p = append(*p, region.Hosts...)
			for _, except := range region.Except {
				*p = append(*p, except.Hosts...)
			}
		}
		for _, handler := range route.Handle {
			p.add(handler.Routes)
			p.add(handler.Errors)
			for _, response := range handler.Responses {
				p.add(response.Routes)
			}
		}
	}
}

// Match says which patterns a host matches. Hosts that match the same ones are
// the same to the server, so the text is a key for what depends on the host.
func (p HostPatterns) Match(host string) string {
	var key strings.Builder
	for _, pattern := range p {
		switch {
		case hostWithin(host, pattern):
			key.WriteByte('1')
		case hostsMeet(host, pattern):
			key.WriteByte('?')
		default:
			key.WriteByte('0')
		}
	}
	return key.String()
}
