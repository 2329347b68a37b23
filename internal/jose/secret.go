package jose

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// minSecret is the size in bytes of the shortest HMAC secret, the output of SHA-256
// (RFC 7518 §3.2).
const minSecret = 32

// DecodeSecret returns the bytes of a configured HMAC secret. Behind `base64:` it is
// encoded.
func DecodeSecret(text string) ([]byte, error) {
	secret := []byte(text)
	if encoded, found := strings.CutPrefix(text, "base64:"); found {
		encoded = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(encoded), "=")
		var err error
		if secret, err = base64.RawStdEncoding.Strict().DecodeString(encoded); err != nil || strings.ContainsAny(encoded, "\r\n") {
			return nil, errors.New("invalid base64 after `base64:` in hmac_secret: write the output of `openssl rand -base64 48`, or leave `base64:` out")
		}
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("the HMAC secret has %d bytes, %d are needed (RFC 7518 §3.2): make one with `openssl rand -base64 48`", len(secret), minSecret)
	}
	return secret, nil
}
