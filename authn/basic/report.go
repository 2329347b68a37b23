package basic

import (
	"github.com/excorp/caddy-require-auth/authn/report"
	"github.com/excorp/caddy-require-auth/internal/capability"
)

// Report returns the number of users.
func (b *Basic) Report() report.Report {
	users := len(b.users.Load().byName)
	return report.Report{Users: &users}
}

// HasCaller reports whether a user has this name.
func (b *Basic) HasCaller(id string) (bool, error) {
	return b.users.Load().byName[id] != nil, nil
}

// Interface guards
var (
	_ report.Reporter    = (*Basic)(nil)
	_ capability.Callers = (*Basic)(nil)
)
