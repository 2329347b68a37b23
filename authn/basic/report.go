package basic

import "github.com/excorp/caddy-require-auth/authn"

// Report says how many users there are.
func (b *Basic) Report() authn.Report {
	users := len(b.users.Load().byName)
	return authn.Report{Users: &users}
}

var _ authn.Reporter = (*Basic)(nil)
