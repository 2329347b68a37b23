package bearer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/block"
)

func TestAlgorithmsOfSecrets(t *testing.T) {
	for algorithms, bytes := range map[string]int{"HS256": 32, "HS384": 48, "HS512": 64, "HS512 HS256": 32, "RS256": 0} {
		for _, size := range []int{32, 48, 64} {
			b := &Bearer{Issuer: testIssuer, Audiences: []string{testAudience}, HMACSecret: block.Secrets{strings.Repeat("k", size)}, Algorithms: strings.Fields(algorithms)}
			_, err := provision(t, b)
			if fits := bytes > 0 && size >= bytes; fits != (err == nil) {
				t.Errorf("JWT-4: %s with %d bytes: %v", algorithms, size, err)
			}
		}
	}
}

func TestSecretsInRotation(t *testing.T) {
	old, other := strings.Repeat("o", 32), strings.Repeat("n", 32)
	for name, config := range map[string]string{"one": `"` + old + `"`, "two": `["` + other + `","` + old + `"]`} {
		t.Run("JWT-4: "+name, func(t *testing.T) {
			var read block.Secrets
			if err := json.Unmarshal([]byte(config), &read); err != nil {
				t.Fatal(err)
			}
			if written, err := json.Marshal(read); err != nil || string(written) != config {
				t.Errorf("%s, %v", written, err)
			}
			b := mustProvision(t, &Bearer{Issuer: testIssuer, Audiences: []string{testAudience}, HMACSecret: read})
			if len(b.keys) != len(read) {
				t.Errorf("%d sources", len(b.keys))
			}
		})
	}
}
