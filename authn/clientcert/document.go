package clientcert

import "github.com/excorp/caddy-require-auth/authn"

// SecuritySchemes describes how a certificate is sent.
func (*ClientCert) SecuritySchemes() []authn.SecurityScheme {
	return []authn.SecurityScheme{{Type: "mutualTLS"}}
}

var _ authn.SecuritySchemer = (*ClientCert)(nil)
