package clientcert

import (
	"bytes"
	"crypto/x509"
	"slices"
)

// maxLinks bounds the certificates that a client sends besides its own. Chains have one
// or two of them.
const maxLinks = 8

// linksTo returns the client's intermediate certificates that a trusted authority
// signed, directly or through others.
//
// The verification must not see the rest. It would try the key of every certificate
// with a matching name, and the client chooses names and keys. A hundred large keys of
// one name would cost most of a second with each request. Here only trusted keys check
// signatures.
func linksTo(authorities, certificates []*x509.Certificate) *x509.CertPool {
	links, trusted, rest := x509.NewCertPool(), slices.Clone(authorities), slices.Clone(certificates)
	slices.Reverse(rest) // each is signed by the next one (RFC 8446 §4.4.2)
	for before := -1; before != len(rest); {
		before = len(rest)
		rest = slices.DeleteFunc(rest, func(link *x509.Certificate) bool {
			if !isSignedBy(link, trusted) {
				return false
			}
			links.AddCert(link)
			trusted = append(trusted, link)
			return true
		})
	}
	return links
}

func isSignedBy(link *x509.Certificate, trusted []*x509.Certificate) bool {
	return slices.ContainsFunc(trusted, func(issuer *x509.Certificate) bool {
		return bytes.Equal(link.RawIssuer, issuer.RawSubject) && link.CheckSignatureFrom(issuer) == nil
	})
}
