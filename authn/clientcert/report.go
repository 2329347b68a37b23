package clientcert

import "github.com/excorp/caddy-require-auth/authn/report"

// Report returns the number of trusted authorities. It is zero if Caddy verifies.
func (c *ClientCert) Report() report.Report {
	if c.roots == nil {
		return report.Report{}
	}
	count := len(c.authorities)
	return report.Report{Roots: &count}
}

var _ report.Reporter = (*ClientCert)(nil)
