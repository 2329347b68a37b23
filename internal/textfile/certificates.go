package textfile

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Certificates reads a text of PEM certificates. It refuses everything else, and a
// certificate that [pem.Decode] skips, such as one behind a second byte order mark.
// Only callers would notice a pool without an authority. Errors repeat only the type of
// a block.
func Certificates(content []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	count := bytes.Count(content, []byte("-----BEGIN "))
	for block, rest := pem.Decode(content); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s in a file of certificates: keep only certificates in it", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("no PEM certificate found")
	}
	if len(certs) != count {
		return nil, fmt.Errorf("%d certificates begin in it, but only %d can be read: save each without a byte order mark", count, len(certs))
	}
	return certs, nil
}
