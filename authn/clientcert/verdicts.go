package clientcert

import (
	"crypto/sha256"
	"crypto/x509"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/fingerprint"
)

// verdicts remembers what was found about certificates. A client sends them once
// for a connection, and could have their signatures checked with each of its
// requests otherwise.
type verdicts struct {
	mutex sync.Mutex
	found map[[sha256.Size]byte]verdict
}

// verdict holds from one instant to another.
type verdict struct {
	from, until time.Time
	err         error
}

const (
	// verdictFor is how long a verdict holds at most.
	verdictFor = time.Minute
	// maxVerdicts bounds what is remembered; when there are more, all are
	// found again.
	maxVerdicts = 10_000
)

// of returns the verdict about what a client sent. It ends before any
// certificate that it depends on begins or ends.
func (v *verdicts) of(sent, authorities []*x509.Certificate, now time.Time, judge func() error) error {
	key := chainOf(sent)
	v.mutex.Lock()
	known, found := v.found[key]
	v.mutex.Unlock()
	if found && !now.Before(known.from) && now.Before(known.until) {
		return known.err
	}
	fresh := verdict{from: now, until: now.Add(verdictFor), err: judge()}
	for _, certificates := range [][]*x509.Certificate{sent, authorities} {
		for _, certificate := range certificates {
			for _, turn := range []time.Time{certificate.NotBefore, certificate.NotAfter} {
				if !turn.Before(now) && turn.Before(fresh.until) {
					fresh.until = turn
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

// chainOf tells what one client sent from what others did.
func chainOf(sent []*x509.Certificate) [sha256.Size]byte {
	var room [(1 + maxLinks) * sha256.Size]byte
	all := room[:0]
	for _, certificate := range sent {
		digest := fingerprint.Of(certificate)
		all = append(all, digest[:]...)
	}
	return sha256.Sum256(all)
}
