package clientcert

import (
	"bytes"
	"crypto/x509"
	"slices"
)

// maxLinks is how many certificates a client may send besides its own. Chains
// have one or two of them.
const maxLinks = 8

// linksTo returns those of the certificates that a client sent along that an
// authority vouches for, or one that is vouched for itself.
//
// The others must not come near a verification. It would try the keys of all that
// have the right name, and a stranger chooses names and keys: a hundred large
// keys of one name, sent once for a connection, cost most of a second of
// computing with each of its requests. Here a signature is checked with the key
// of somebody trusted, or not at all.
func linksTo(authorities, sent []*x509.Certificate) *x509.CertPool {
	links, trusted, left := x509.NewCertPool(), slices.Clone(authorities), slices.Clone(sent)
	slices.Reverse(left) // each is vouched for by the one behind it (RFC 8446 §4.4.2)
	for before := -1; before != len(left); {
		before = len(left)
		left = slices.DeleteFunc(left, func(link *x509.Certificate) bool {
			if !isVouchedFor(link, trusted) {
				return false
			}
			links.AddCert(link)
			trusted = append(trusted, link)
			return true
		})
	}
	return links
}

func isVouchedFor(link *x509.Certificate, trusted []*x509.Certificate) bool {
	return slices.ContainsFunc(trusted, func(issuer *x509.Certificate) bool {
		return bytes.Equal(link.RawIssuer, issuer.RawSubject) && link.CheckSignatureFrom(issuer) == nil
	})
}
