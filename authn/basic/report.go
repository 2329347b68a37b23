package basic

import (
	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
)

// Report says how many users there are.
func (b *Basic) Report() authn.Report {
	users := len(b.users.Load().byName)
	return authn.Report{Users: &users}
}

// HasCaller reports whether there is a user of this name.
func (b *Basic) HasCaller(id string) (bool, error) {
	return b.users.Load().byName[id] != nil, nil
}

// Interface guards
var (
	_ authn.Reporter     = (*Basic)(nil)
	_ capability.Callers = (*Basic)(nil)
)
