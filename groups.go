package requireauth

import (
	"slices"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
)

// schemeGroup is the schemes of a gate that find the same credential. Most groups
// have one member.
type schemeGroup struct {
	members []*namedScheme

	// Of several members: the one that reads the issuer of a credential, and the
	// candidates for it, in the order of the gate.
	reader   capability.Grouped
	byIssuer map[string][]*namedScheme
	unnamed  []*namedScheme // for a credential without an issuer
	any      []*namedScheme // for an issuer that no member names
}

// groupSchemes groups the schemes of a gate.
func groupSchemes(schemes []*namedScheme) []*schemeGroup {
	var all []*schemeGroup
	byName := make(map[string]*schemeGroup)
	for _, scheme := range schemes {
		grouped, ok := scheme.Scheme.(capability.Grouped)
		if !ok {
			all = append(all, &schemeGroup{members: []*namedScheme{scheme}})
			continue
		}
		group := byName[grouped.Group()]
		if group == nil {
			group = &schemeGroup{reader: grouped}
			byName[grouped.Group()] = group
			all = append(all, group)
		}
		group.members = append(group.members, scheme)
	}
	for _, group := range all {
		if len(group.members) > 1 {
			group.index()
		}
	}
	return all
}

// credentialLocations returns where the schemes find credentials, each location once.
func credentialLocations(groups []*schemeGroup) []authn.Location {
	var all []authn.Location
	for _, group := range groups {
		lister, ok := group.members[0].Scheme.(capability.LocationLister)
		if !ok {
			continue
		}
		for _, location := range lister.Locations() {
			if !slices.Contains(all, location) {
				all = append(all, location)
			}
		}
	}
	return all
}

// index prepares candidatesFor, whose cost must not depend on the number of members.
func (s *schemeGroup) index() {
	s.byIssuer = make(map[string][]*namedScheme)
	for _, member := range s.members {
		issuer, unnamed := member.Scheme.(capability.Grouped).AcceptsIssuer()
		switch {
		case issuer == "":
			s.any = append(s.any, member)
			for other := range s.byIssuer {
				s.byIssuer[other] = append(s.byIssuer[other], member)
			}
		case s.byIssuer[issuer] == nil:
			s.byIssuer[issuer] = append(slices.Clone(s.any), member)
		default:
			s.byIssuer[issuer] = append(s.byIssuer[issuer], member)
		}
		if issuer == "" || unnamed {
			s.unnamed = append(s.unnamed, member)
		}
	}
}

// candidatesFor returns those of several members that may accept a credential. If none
// may, the first member refuses it.
func (s *schemeGroup) candidatesFor(r *authn.Request, credential authn.Credential) []*namedScheme {
	candidates := s.unnamed
	if issuer := s.reader.IssuerOf(r, credential); issuer != "" {
		var named bool
		if candidates, named = s.byIssuer[issuer]; !named {
			candidates = s.any
		}
	}
	if len(candidates) == 0 {
		return s.members[:1]
	}
	return candidates
}
