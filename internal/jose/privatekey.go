// Package jose reads compact JWS (RFC 7515 §7.1), verifies their signatures, and reads
// the private keys that sign them. No other code parses the tokens and proofs of a
// stranger.
package jose

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// PrivateKey is a key from a file.
type PrivateKey struct {
	// Key is an *rsa.PrivateKey, an *ecdsa.PrivateKey, an ed25519.PrivateKey, or
	// another key. It is not checked whether it can sign.
	Key any
	// ID and Algorithm are the `kid` and the `alg` of a JWK, or empty.
	ID, Algorithm string
}

// ParsePrivateKey reads a private key, PEM or JWK. Errors contain no part of it.
func ParsePrivateKey(data []byte) (PrivateKey, error) {
	text := strings.TrimSpace(string(data))
	if strings.HasPrefix(text, "{") {
		return parseJWK(text)
	}
	return parsePEM(text)
}

func parseJWK(text string) (read PrivateKey, err error) {
	parsed, err := jwk.ParseKey([]byte(text))
	if err != nil {
		return read, errors.New("invalid JWK of a private key")
	}
	if use := parsed.KeyUsage(); use != "" && use != "sig" {
		return read, fmt.Errorf("the use of the private key is %.32q, not sig", use)
	}
	if err := parsed.Raw(&read.Key); err != nil {
		return read, errors.New("invalid JWK of a private key")
	}
	if algorithm := parsed.Algorithm(); algorithm != nil {
		read.Algorithm = algorithm.String()
	}
	read.ID = parsed.KeyID()
	return read, nil
}

// parsePEM reads the first private key of a file. OpenSSL writes the parameters of a
// curve before it.
func parsePEM(text string) (read PrivateKey, err error) {
	for block, rest := pem.Decode([]byte(text)); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			read.Key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			read.Key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			read.Key, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return read, errors.New("the private key is encrypted")
		default:
			continue
		}
		if err != nil {
			return read, errors.New("the PEM block of the private key cannot be read")
		}
		return read, nil
	}
	return read, errors.New("neither PEM nor JWK with a private key")
}
