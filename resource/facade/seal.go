package facade

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"sync"
	"time"
)

const (
	// minSecret is the size of the shortest state_secret, in bytes.
	minSecret = 32
	// lifetime bounds each step of a login.
	lifetime = 10 * time.Minute
	// maxSealed bounds a sealed text, in bytes.
	maxSealed = 16 << 10
	// saltSize is the size of the salt, from which each message gets its own key.
	saltSize = 16
)

// purpose binds a sealed text to one step, so that another step refuses it.
type purpose string

const (
	forConsent  purpose = "consent"
	forCallback purpose = "callback"
	forToken    purpose = "token"
)

// processSecret is the secret without a configured one. It outlives configurations, so
// a reload breaks no login.
var processSecret = sync.OnceValue(func() []byte {
	secret := make([]byte, minSecret)
	_, _ = rand.Read(secret) // never fails
	return secret
})

// sealer encrypts and authenticates what clients carry between requests (AES-256-GCM).
type sealer struct {
	secret []byte
	issuer string
}

func newSealer(secret, issuer string) sealer {
	if secret == "" {
		return sealer{processSecret(), issuer}
	}
	return sealer{[]byte(secret), issuer}
}

// envelope is the sealed value with its end.
type envelope[T any] struct {
	Until int64
	Value T
}

var errSealed = errors.New("the state is invalid or expired")

// seal returns a value as text that only this facade can read, for this purpose.
func seal[T any](s sealer, use purpose, value T) (string, error) {
	plain, err := json.Marshal(envelope[T]{now().Add(lifetime).Unix(), value})
	if err != nil {
		return "", err
	}
	salt := make([]byte, saltSize, saltSize+len(plain)+64)
	_, _ = rand.Read(salt) // never fails
	aead, err := s.aead(use, salt)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(salt, nil, plain, nil)), nil //nolint:gosec // the nonce is random
}

// open returns a value that was sealed for the purpose and has not expired.
func open[T any](s sealer, use purpose, text string) (value T, err error) {
	if len(text) > maxSealed {
		return value, errSealed
	}
	data, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(data) < saltSize {
		return value, errSealed
	}
	aead, err := s.aead(use, data[:saltSize])
	if err != nil {
		return value, err
	}
	plain, err := aead.Open(nil, nil, data[saltSize:], nil)
	if err != nil {
		return value, errSealed
	}
	var opened envelope[T]
	if err := json.Unmarshal(plain, &opened); err != nil || now().Unix() >= opened.Until {
		return value, errSealed
	}
	return opened.Value, nil
}

func (s sealer) aead(use purpose, salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.secret, salt, "authorization_server_facade "+string(use)+" "+s.issuer, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// now is the clock.
var now = time.Now
