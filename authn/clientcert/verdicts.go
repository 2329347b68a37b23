package clientcert

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/fingerprint"
)

// verdicts remembers the results of verifications. A client sends its certificates once
// for a connection. Without the memory, each request would check their signatures
// again.
type verdicts struct {
	mutex sync.Mutex
	found map[[sha256.Size]byte]verdict
}

// verdict is valid from one instant to another.
type verdict struct {
	from, until time.Time
	err         error
}

const (
	// verdictFor is the longest validity of a verdict.
	verdictFor = time.Minute
	// maxVerdicts bounds the memory. A full memory is emptied.
	maxVerdicts = 10_000
)

// lookup returns the verdict on a client's certificates. Its validity ends when one of the
// certificates that it depends on begins or ends.
func (v *verdicts) lookup(chain, authorities []*x509.Certificate, now time.Time, verify func() error) error {
	key := chainOf(chain)
	v.mutex.Lock()
	existing, found := v.found[key]
	v.mutex.Unlock()
	if found && !now.Before(existing.from) && now.Before(existing.until) {
		return existing.err
	}
	fresh := verdict{from: now, until: now.Add(verdictFor), err: verify()}
	for _, certificates := range [][]*x509.Certificate{chain, authorities} {
		for _, certificate := range certificates {
			for _, limit := range []time.Time{certificate.NotBefore, certificate.NotAfter} {
				if !limit.Before(now) && limit.Before(fresh.until) {
					fresh.until = limit
				}
			}
		}
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.found == nil || len(v.found) >= maxVerdicts {
		v.found = make(map[[sha256.Size]byte]verdict)
	}
	v.found[key] = fresh
	return fresh.err
}

// chainOf returns a digest that identifies the certificates of a client.
func chainOf(chain []*x509.Certificate) [sha256.Size]byte {
	var room [(1 + maxLinks) * sha256.Size]byte
	all := room[:0]
	for _, certificate := range chain {
		digest := fingerprint.Of(certificate)
		all = append(all, digest[:]...)
	}
	return sha256.Sum256(all)
}
