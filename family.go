package requireauth

import (
	"slices"

	"github.com/excorp/caddy-require-auth/authn"
)

// family is the schemes of a gate that find the same credential. Nearly always
// it is one scheme.
type family struct {
	members []*namedScheme

	// Of several: who reads whose a credential is, and who judges it then, in
	// the order of the gate.
	reader  authn.Kindred
	owned   map[string][]*namedScheme
	unnamed []*namedScheme
	any     []*namedScheme
}

// familiesOf groups the schemes of a gate.
func familiesOf(schemes []namedScheme) []*family {
	var all []*family
	kin := make(map[string]*family)
	for i := range schemes {
		kindred, ok := schemes[i].Scheme.(authn.Kindred)
		if !ok {
			all = append(all, &family{members: []*namedScheme{&schemes[i]}})
			continue
		}
		known := kin[kindred.Kin()]
		if known == nil {
			known = &family{reader: kindred}
			kin[kindred.Kin()] = known
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
func (f *family) index() {
	f.owned = make(map[string][]*namedScheme)
	for _, member := range f.members {
		owner, unnamed := member.Scheme.(authn.Kindred).Owns()
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

// judges returns the members that a credential may belong to. If it can belong
// to none the first one refuses it.
func (f *family) judges(credential authn.Credential) []*namedScheme {
	if len(f.members) == 1 {
		return f.members
	}
	judges := f.unnamed
	if owner := f.reader.Owner(credential); owner != "" {
		var known bool
		if judges, known = f.owned[owner]; !known {
			judges = f.any
		}
	}
	if len(judges) == 0 {
		return f.members[:1]
	}
	return judges
}
