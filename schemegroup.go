package requireauth

import (
	"slices"

	"github.com/excorp/caddy-require-auth/authn"
)

// schemeGroup is the schemes of a gate that find the same credential. Nearly always
// it is one scheme.
type schemeGroup struct {
	members []*namedScheme

	// Of several: who reads whose a credential is, and who judges it then, in
	// the order of the gate.
	reader  authn.Grouped
	owned   map[string][]*namedScheme
	unnamed []*namedScheme
	any     []*namedScheme
}

// groupSchemes groups the schemes of a gate.
func groupSchemes(schemes []namedScheme) []*schemeGroup {
	var all []*schemeGroup
	kin := make(map[string]*schemeGroup)
	for i := range schemes {
		grouped, ok := schemes[i].Scheme.(authn.Grouped)
		if !ok {
			all = append(all, &schemeGroup{members: []*namedScheme{&schemes[i]}})
			continue
		}
		known := kin[grouped.Group()]
		if known == nil {
			known = &schemeGroup{reader: grouped}
			kin[grouped.Group()] = known
			all = append(all, known)
		}
		known.members = append(known.members, &schemes[i])
	}
	for _, f := range all {
		if len(f.members) > 1 {
			f.index()
		}
	}
	return all
}

// index prepares the answers of judges, so that none of them depends on how
// many members there are.
func (f *schemeGroup) index() {
	f.owned = make(map[string][]*namedScheme)
	for _, member := range f.members {
		owner, unnamed := member.Scheme.(authn.Grouped).AcceptsIssuer()
		if owner == "" {
			f.any = append(f.any, member)
			for other := range f.owned {
				f.owned[other] = append(f.owned[other], member)
			}
		} else {
			if f.owned[owner] == nil {
				f.owned[owner] = slices.Clone(f.any)
			}
			f.owned[owner] = append(f.owned[owner], member)
		}
		if owner == "" || unnamed {
			f.unnamed = append(f.unnamed, member)
		}
	}
}

// candidatesFor returns the members that a credential may belong to. If it can belong
// to none the first one refuses it.
func (f *schemeGroup) candidatesFor(credential authn.Credential) []*namedScheme {
	if len(f.members) == 1 {
		return f.members
	}
	candidates := f.unnamed
	if owner := f.reader.IssuerOf(credential); owner != "" {
		var known bool
		if candidates, known = f.owned[owner]; !known {
			candidates = f.any
		}
	}
	if len(candidates) == 0 {
		return f.members[:1]
	}
	return candidates
}
