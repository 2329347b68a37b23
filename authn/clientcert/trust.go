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

// errUntrusted is the error for a certificate without a trusted authority.
var errUntrusted = errors.New("the certificate is not trusted")

// trusts returns why the certificate of a connection is not trusted, or nil.
func (c *ClientCert) trusts(connection *tls.ConnectionState) error {
	now := c.now()
	if c.roots != nil {
		certificates := connection.PeerCertificates
		if len(certificates) > 1+maxLinks {
			return fmt.Errorf("%w: more than %d certificates came with it", errUntrusted, maxLinks)
		}
		return c.verdicts.lookup(certificates, c.authorities, now, func() error { return c.verify(certificates, now) })
	}
	if len(connection.VerifiedChains) == 0 {
		return fmt.Errorf("%w: Caddy did not verify it, and no trust_pool is configured", errUntrusted)
	}
	// Caddy verified when the connection began, maybe long ago.
	current := func(chain []*x509.Certificate) bool {
		return len(chain) > 0 && !slices.ContainsFunc(chain, func(cert *x509.Certificate) bool {
			return now.Before(cert.NotBefore) || now.After(cert.NotAfter)
		})
	}
	if !slices.ContainsFunc(connection.VerifiedChains, current) {
		return errors.New("a certificate of the chain expired since the connection began")
	}
	return nil
}

// verify verifies the first of the client's certificates. The others may be links to a
// root.
func (c *ClientCert) verify(certificates []*x509.Certificate, now time.Time) error {
	links := linksTo(c.authorities, certificates[1:])
	_, err := certificates[0].Verify(x509.VerifyOptions{
		Roots:         c.roots,
		Intermediates: links,
		CurrentTime:   now,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); unknown {
		// The text of the error may contain names that the client chose.
		return fmt.Errorf("%w: no authority in the trust_pool signed it", errUntrusted)
	}
	return err
}

// readPool reads files of PEM certificates. It refuses anything else: only callers
// would notice a pool without an authority.
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
