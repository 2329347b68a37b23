package jose

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestDecodeSecret(t *testing.T) {
	secret := "\xfb\xff" + strings.Repeat("k", 30)
	for name, text := range map[string]string{
		"plain": secret, "base64": "base64:" + base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64url without padding": "base64:" + base64.RawURLEncoding.EncodeToString([]byte(secret)),
	} {
		t.Run("JWT-4: "+name, func(t *testing.T) {
			if got, err := DecodeSecret(text); err != nil || string(got) != secret {
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
			if _, err := DecodeSecret(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Error(err)
			}
		})
	}
}
