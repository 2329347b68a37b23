package bearer

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/block"
)

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
