package clientcert

import (
	"crypto/x509"
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestLinks has clients send certificates that no authority has signed.
func TestLinks(t *testing.T) {
	ca, stranger := create(t, nil, asAuthority("CA")), create(t, nil, asAuthority("CA"))
	between := create(t, ca, asAuthority("between"))
	second := create(t, between, asAuthority("second"))
	leaf, c := second.leaf(t, nil), scheme(t, trusting(t, ClientCert{}, ca))
	certs := func(all ...*authority) (certs []*x509.Certificate) {
		for _, one := range all {
			certs = append(certs, one.cert)
		}
		return certs
	}
	// Namesakes of those that are trusted, whose keys must not be tried.
	var false8 []*authority
	for range maxLinks {
		false8 = append(false8, create(t, stranger, asAuthority("second")))
	}
	for name, test := range map[string]struct {
		along, signers []*authority
	}{
		"in their order":          {[]*authority{second, between}, []*authority{second, between}},
		"in another order":        {[]*authority{between, second}, []*authority{second, between}},
		"with the authority":      {[]*authority{second, between, ca}, []*authority{second, between, ca}},
		"one of them twice":       {[]*authority{second, second, between}, []*authority{second, between}},
		"one of them missing":     {[]*authority{second}, nil},
		"among namesakes":         {slices.Concat(false8[:3], []*authority{second}, false8[3:6], []*authority{between}), []*authority{second, between}},
		"of a stranger":           {[]*authority{false8[0], stranger}, nil},
		"as many as there may be": {false8, nil},
		"none":                    {nil, nil},
	} {
		t.Run("R8705-3: certificates that were sent along "+name, func(t *testing.T) {
			want := x509.NewCertPool()
			for _, cert := range certs(test.signers...) {
				want.AddCert(cert)
			}
			if !linksTo(certs(ca), certs(test.along...)).Equal(want) {
				t.Error("others than those that are vouched for")
			}
			verdict := authn.NotApplicable
			if len(test.signers) > 1 {
				verdict = authn.Accepted
			}
			if outcome := try(t, c, unverifiedState(append([]*x509.Certificate{leaf}, certs(test.along...)...)...)); outcome.Verdict != verdict {
				t.Errorf("outcome %+v", outcome)
			}
		})
	}
	t.Run("R8705-3: with more than there may be even a good one is refused", func(t *testing.T) {
		along := append(certs(second, between), certs(false8[:maxLinks-1]...)...)
		if outcome := try(t, c, unverifiedState(append([]*x509.Certificate{leaf}, along...)...)); outcome.Verdict != authn.NotApplicable {
			t.Errorf("outcome %+v", outcome)
		}
	})
}
