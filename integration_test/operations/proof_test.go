package operations

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

func TestExplainUsesNoProofUp(t *testing.T) {
	s := harness.StartWithAdmin(t, `{
	auth {
		bearer {`+harness.BearerLines+`
			dpop required
		}
	}
}
:8080 {
	require_auth
	respond ok
}`)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token := harness.Token(t, harness.Claims{"cnf": map[string]any{"jkt": dpoptest.Thumbprint(t, key.Public())}})
	proof := dpoptest.Proof(t, key, map[string]any{"htm": "GET", "htu": s.URL("/"), "ath": dpoptest.Hash(token)}, nil)
	explained := func() []string {
		t.Helper()
		got := explainAt(t, s, map[string]any{"url": "/", "headers": map[string]string{"Authorization": "DPoP " + token, "DPoP": proof}})
		var skipped []string
		for _, check := range got.Gates[0].Checks {
			if check.Result == "skipped" {
				skipped = append(skipped, check.Check)
			}
		}
		if got.Answer.Status != http.StatusOK {
			t.Errorf("%+v", got.Gates[0])
		}
		return skipped
	}
	send := func() int {
		return s.Get("/", harness.Header("Authorization", "DPoP "+token), harness.Header("Dpop", proof)).Status
	}
	if skipped := explained(); !slices.Equal(skipped, []string{"replay"}) {
		t.Errorf("left out: %q", skipped)
	}
	explained()
	if got := send(); got != http.StatusOK {
		t.Errorf("status %d: the explanation used the proof up", got)
	}
	if got := send(); got != http.StatusUnauthorized {
		t.Errorf("status %d the second time", got)
	}
}
