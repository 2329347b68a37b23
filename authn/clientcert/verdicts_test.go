package clientcert

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// withExtension gives a certificate so many bytes more.
func withExtension(size int) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: make([]byte, size)}}
	}
}

func TestBigCertificate(t *testing.T) {
	ca := create(t, nil, asAuthority("CA"))
	c := scheme(t, trusting(t, ClientCert{}, ca))
	t.Run("COST-1: a certificate over 16 KiB is refused for its size", func(t *testing.T) {
		outcome := try(t, c, unverifiedState(ca.leaf(t, withExtension(17<<10))))
		if outcome.Code != authn.CodeInvalidRequest || !errors.Is(outcome.Reason, authn.ErrTooLarge) {
			t.Errorf("outcome %+v", outcome)
		}
	})
	t.Run("COST-1: one below is judged", func(t *testing.T) {
		if outcome := try(t, c, unverifiedState(ca.leaf(t, withExtension(15<<10)))); outcome.Verdict != authn.Accepted {
			t.Errorf("outcome %+v", outcome)
		}
	})
	for name, size := range map[string]int{"small": 0, "big": 90 << 10} {
		t.Run("COST-1: a "+name+" certificate is hashed once, however many requests and schemes there are", func(t *testing.T) {
			leaf := ca.leaf(t, withExtension(size))
			other := scheme(t, trusting(t, ClientCert{}, create(t, nil, asAuthority("other"))))
			cost := steps.Of(func() {
				for range 50 {
					try(t, c, unverifiedState(leaf))
					try(t, other, unverifiedState(leaf))
				}
			})
			if cost != int64(len(leaf.Raw)) {
				t.Errorf("%d bytes of %d", cost, len(leaf.Raw))
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	ca := create(t, nil, asAuthority("CA"))
	leaf, other := ca.leaf(t, nil), ca.leaf(t, nil)
	bad := errors.New("bad")
	var memory verdicts
	verified := 0
	lookup := func(now time.Time, err error, certificates ...*x509.Certificate) error {
		return memory.lookup(certificates, []*x509.Certificate{ca.cert}, now, func() error { verified++; return err })
	}
	for _, step := range []struct {
		name     string
		now      time.Time
		sent     []*x509.Certificate
		found    error
		want     error
		verified int
	}{
		{"the first time", noon, []*x509.Certificate{leaf}, nil, nil, 1},
		{"again", noon.Add(59 * time.Second), []*x509.Certificate{leaf}, bad, nil, 1},
		{"another certificate", noon, []*x509.Certificate{other}, bad, bad, 2},
		{"with another one along", noon, []*x509.Certificate{leaf, other}, bad, bad, 3},
		{"a refusal again", noon.Add(time.Second), []*x509.Certificate{other}, nil, bad, 3},
		{"after a minute", noon.Add(time.Minute), []*x509.Certificate{leaf}, bad, bad, 4},
		{"before it was found", noon, []*x509.Certificate{leaf}, nil, nil, 5},
		{"just before its end", leaf.NotAfter.Add(-time.Second), []*x509.Certificate{leaf}, nil, nil, 6},
		{"at its end", leaf.NotAfter, []*x509.Certificate{leaf}, nil, nil, 7},
		{"after its end", leaf.NotAfter.Add(time.Nanosecond), []*x509.Certificate{leaf}, bad, bad, 8},
		{"just before its beginning", leaf.NotBefore.Add(-time.Second), []*x509.Certificate{leaf}, bad, bad, 9},
		{"at its beginning", leaf.NotBefore, []*x509.Certificate{leaf}, nil, nil, 10},
		{"just before the end of the authority", ca.cert.NotAfter.Add(-time.Second), []*x509.Certificate{leaf}, nil, nil, 11},
		{"after the end of the authority", ca.cert.NotAfter.Add(time.Second), []*x509.Certificate{leaf}, bad, bad, 12},
	} {
		t.Run("COST-1: a chain "+step.name, func(t *testing.T) {
			if err := lookup(step.now, step.found, step.sent...); !errors.Is(err, step.want) || verified != step.verified {
				t.Errorf("the verdict is %v after %d", err, verified)
			}
		})
	}
	t.Run("COST-1: what is remembered is bounded", func(t *testing.T) {
		for i := range maxVerdicts + 10 {
			_ = lookup(noon, nil, &x509.Certificate{Raw: []byte(strconv.Itoa(i))})
		}
		if len(memory.found) == 0 || len(memory.found) > maxVerdicts {
			t.Errorf("%d are remembered", len(memory.found))
		}
	})
}
