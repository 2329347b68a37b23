package routes

import (
	"slices"
	"strings"
)

// HostPatterns are the patterns of the host matchers of a server.
type HostPatterns []string

// HostPatterns returns the patterns of all host matchers.
func (s *Server) HostPatterns() HostPatterns {
	var found HostPatterns
	for route := range s.all() {
		for _, region := range route.Match {
			found = append(found, region.Hosts...)
			for _, except := range region.Except {
				found = append(found, except.Hosts...)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
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
