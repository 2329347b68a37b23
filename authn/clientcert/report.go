package clientcert

import "github.com/excorp/caddy-require-auth/authn"

// Report says how many authorities are trusted; none where Caddy's own
// verification counts.
func (c *ClientCert) Report() authn.Report {
	if c.roots == nil {
		return authn.Report{}
	}
	count := len(c.authorities)
	return authn.Report{Roots: &count}
}

var _ authn.Reporter = (*ClientCert)(nil)
