package signer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	// signFor is how long a key signs.
	signFor = 24 * time.Hour
	// overlap is how long a key is published before it signs, and after. It is longer
	// than a verifier keeps the document and than a JWT lasts.
	overlap = time.Hour
	// MaxAge is how long a verifier can keep the document of keys.
	MaxAge = 5 * time.Minute
)

// signingKey is a key pair of this process.
type signingKey struct {
	id      string
	private *ecdsa.PrivateKey
	public  string    // the JWK
	begins  time.Time // to sign
}

func newSigningKey(begins time.Time) (*signingKey, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	id, public, err := describe(private.Public())
	if err != nil {
		return nil, err
	}
	return &signingKey{id: id, private: private, public: public, begins: begins}, nil
}

// describe returns the ID of a public key, which is its thumbprint (RFC 7638), and the
// JWK for a document.
func describe(public any) (id, text string, err error) {
	key, err := jwk.FromRaw(public)
	if err == nil {
		err = jwk.AssignKeyID(key)
	}
	for name, value := range map[string]any{jwk.AlgorithmKey: jwa.ES256, jwk.KeyUsageKey: jwk.ForSignature} {
		err = errors.Join(err, key.Set(name, value))
	}
	if err != nil {
		return "", "", err
	}
	encoded, err := json.Marshal(key)
	return key.KeyID(), string(encoded), err
}

// read takes over the public key of another instance. Nothing else of the text is
// published.
func read(id, text string) (string, error) {
	key, err := jwk.ParseKey([]byte(text))
	if err != nil {
		return "", errors.New("not a JWK")
	}
	var public ecdsa.PublicKey
	if err := key.Raw(&public); err != nil || public.Curve != elliptic.P256() {
		return "", errors.New("not a public key for ES256")
	}
	own, published, err := describe(&public)
	if err == nil && own != id {
		err = errors.New("its ID is not its thumbprint")
	}
	return published, err
}

// sign signs claims.
func (k *signingKey) sign(claims []byte) (string, error) {
	header := jws.NewHeaders()
	for name, value := range map[string]any{jws.TypeKey: "JWT", jws.KeyIDKey: k.id} {
		if err := header.Set(name, value); err != nil {
			return "", err
		}
	}
	token, err := jws.Sign(claims, jws.WithKey(jwa.ES256, k.private, jws.WithProtectedHeaders(header)))
	return string(token), err
}

// pairs are the keys of this process, the oldest first.
type pairs []*signingKey

// current returns the key that signs.
func (p pairs) current(now time.Time) *signingKey {
	for _, key := range slices.Backward(p) {
		if !key.begins.After(now) {
			return key
		}
	}
	return p[0] // the clock went back
}

// rotate returns the keys with the next one, if it is time for it, and without those
// that are no longer needed. The first key signs at once. Each following one is
// published first.
func (p pairs) rotate(now time.Time) (pairs, error) {
	var begins time.Time
	switch {
	case len(p) == 0:
		begins = now
	case !now.Before(p[len(p)-1].begins.Add(signFor - overlap)):
		begins = now.Add(overlap)
	}
	current := slices.Clone(p)
	if !begins.IsZero() {
		key, err := newSigningKey(begins)
		if err != nil {
			return p, fmt.Errorf("no new key: %w", err)
		}
		current = append(current, key)
	}
	for len(current) > 1 && now.After(current[1].begins.Add(overlap)) {
		current = current[1:]
	}
	return current, nil
}
