package bearer

import (
	"context"
	"crypto/ecdsa"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/dpop"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

// TestNonces has proofs with the nonce of now, of before, and of long ago.
func TestNonces(t *testing.T) {
	now := testNow
	nonces := dpop.NewNonces(func() time.Time { return now })
	key := testKeys()["ES256"].(*ecdsa.PrivateKey)
	token := sign(t, "ES256", nil, map[string]any{"cnf": map[string]any{"jkt": dpoptest.Thumbprint(t, key.Public())}})
	for name, row := range map[string]struct {
		later time.Duration
		good  bool
		told  bool // the current nonce
	}{
		"R9449-12: the current one":   {0, true, false},
		"R9449-13: the one before":    {2 * time.Minute, true, true},
		"R9449-12: one from long ago": {time.Hour, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			now = testNow
			proof := dpoptest.Proof(t, key, map[string]any{
				"jti": name, "htm": "GET", "htu": "http://example.com/", "iat": testNow.Unix(), "ath": dpoptest.Hash(token), "nonce": nonces.Current(),
			}, nil)
			now = testNow.Add(row.later)
			b := scheme(t, func(b *Bearer) { b.DPoP = bindingOptional })
			b.proofs = &dpop.Verifier{Replay: b.store, Nonces: nonces, Now: func() time.Time { return testNow }}
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Dpop", proof)
			outcome := b.Verify(context.Background(), authn.NewRequest(r), authn.Credential{Scheme: dpopScheme, Value: token, Location: authn.AuthorizationField})
			if (outcome.Verdict == authn.Accepted) != row.good {
				t.Fatalf("verdict %d: %v", outcome.Verdict, outcome.Reason)
			}
			want := ""
			if row.told {
				want = nonces.Current()
			}
			if outcome.Nonce != want {
				t.Errorf("told %q, want %q", outcome.Nonce, want)
			}
		})
	}
}
