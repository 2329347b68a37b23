package clientcert

import "github.com/excorp/caddy-require-auth/authn/report"

// Report says how many authorities are trusted; none where Caddy's own
// verification counts.
func (c *ClientCert) Report() report.Report {
	if c.roots == nil {
		return report.Report{}
	}
	count := len(c.authorities)
	return report.Report{Roots: &count}
}

var _ report.Reporter = (*ClientCert)(nil)
