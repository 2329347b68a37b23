package apikey

import "github.com/excorp/caddy-require-auth/authn"

// Report says how many keys there are.
func (a *APIKey) Report() authn.Report {
	keys := len(a.keys.Load().byDigest)
	return authn.Report{APIKeys: &keys}
}

var _ authn.Reporter = (*APIKey)(nil)
