package clientcert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/excorp/caddy-require-auth/internal/textfile"
)

// errUntrusted is the error for a certificate that nobody vouches for whom
// this scheme trusts.
var errUntrusted = errors.New("the certificate is not trusted")

// trusts reports why the certificate of a connection is not to be believed.
func (c *ClientCert) trusts(connection *tls.ConnectionState) error {
	now := c.now()
	if c.roots != nil {
		sent := connection.PeerCertificates
		if len(sent) > 1+maxLinks {
			return fmt.Errorf("%w: more than %d certificates came with it", errUntrusted, maxLinks)
		}
		return c.verdicts.of(sent, c.authorities, now, func() error { return c.verify(sent, now) })
	}
	if len(connection.VerifiedChains) == 0 {
		return fmt.Errorf("%w: Caddy did not verify it, and there is no trust_pool", errUntrusted)
	}
	// Caddy verified when the connection began; that may be long ago.
	current := func(chain []*x509.Certificate) bool {
		return len(chain) > 0 && !slices.ContainsFunc(chain, func(cert *x509.Certificate) bool {
			return now.Before(cert.NotBefore) || now.After(cert.NotAfter)
		})
	}
	if !slices.ContainsFunc(connection.VerifiedChains, current) {
		return errors.New("the certificate, or one that vouches for it, expired since the connection began")
	}
	return nil
}

// verify verifies the first of the certificates that a client sent; the others
// may be links to one of the roots.
func (c *ClientCert) verify(sent []*x509.Certificate, now time.Time) error {
	links := linksTo(c.authorities, sent[1:])
	_, err := sent[0].Verify(x509.VerifyOptions{
		Roots:         c.roots,
		Intermediates: links,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		// Its text may repeat names that anybody can make up.
		return fmt.Errorf("%w: nobody in the trust_pool vouches for it", errUntrusted)
	}
	return err
}

// readPool reads files of PEM certificates. What is no certificate is refused,
// not skipped: a pool that lacks an authority would be noticed only by callers.
func readPool(paths []string) (pool *x509.CertPool, all []*x509.Certificate, err error) {
	pool = x509.NewCertPool()
	for _, path := range paths {
		content, err := textfile.Read(path)
		if err != nil {
			return nil, nil, fmt.Errorf("trust_pool: %w", err)
		}
		certs, err := textfile.Certificates(content)
		if err != nil {
			return nil, nil, fmt.Errorf("trust_pool %s: %w", path, err)
		}
		all = append(all, certs...)
		for _, cert := range certs {
			pool.AddCert(cert)
		}
	}
	return pool, all, nil
}
