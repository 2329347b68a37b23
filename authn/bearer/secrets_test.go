package bearer

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/block"
)

func TestDecodeSecret(t *testing.T) {
	secret := "\xfb\xff" + strings.Repeat("k", 30)
	for name, text := range map[string]string{
		"plain": secret, "base64": "base64:" + base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64url without padding": "base64:" + base64.RawURLEncoding.EncodeToString([]byte(secret)),
	} {
		t.Run("JWT-4: "+name, func(t *testing.T) {
			if got, err := decodeSecret(text); err != nil || string(got) != secret {
				t.Error(got, err)
			}
		})
	}
	for text, want := range map[string]string{
		"base64:" + strings.Repeat("%", 60):      "invalid base64",
		"base64:" + strings.Repeat("AAAA\n", 20): "invalid base64",
		"base64:" + strings.Repeat("A", 32):      "24 bytes",
		"base64:":                                "0 bytes",
	} {
		t.Run("JWT-4: refused for "+want, func(t *testing.T) {
			if _, err := decodeSecret(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
		})
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
