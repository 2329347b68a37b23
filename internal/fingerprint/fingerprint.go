// Package fingerprint hashes certificates, each once while it is in use. All requests
// of a connection have the same certificate, and its holder chooses its size.
package fingerprint

import (
	"crypto/sha256"
	"crypto/x509"
	"runtime"
	"sync"
	"weak"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// digests are those of certificates in use, by weak pointers. An entry is removed with
// the last connection that has the certificate.
var digests sync.Map // weak.Pointer[x509.Certificate] to [sha256.Size]byte

// Of returns the SHA-256 of a certificate in DER form.
func Of(certificate *x509.Certificate) [sha256.Size]byte {
	key := weak.Make(certificate)
	if digest, found := digests.Load(key); found {
		return digest.([sha256.Size]byte)
	}
	steps.Add(len(certificate.Raw))
	digest := sha256.Sum256(certificate.Raw)
	if _, found := digests.LoadOrStore(key, digest); !found {
		runtime.AddCleanup(certificate, func(key weak.Pointer[x509.Certificate]) { digests.Delete(key) }, key)
	}
	return digest
}
