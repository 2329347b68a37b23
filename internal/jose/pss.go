package jose

import (
	"crypto"
	"crypto/rsa"
	"fmt"

	"github.com/lestrrat-go/jwx/v2/jwa"
)

// pss checks RSASSA-PSS signatures whose salt is as long as the hash, as RFC 7518 §3.5
// requires. jwx accepts any length.
type pss struct {
	algorithm jwa.SignatureAlgorithm
	hash      crypto.Hash
}

var pssVerifiers = []pss{{jwa.PS256, crypto.SHA256}, {jwa.PS384, crypto.SHA384}, {jwa.PS512, crypto.SHA512}}

// Verify implements jws.Verifier.
func (p pss) Verify(signed, signature []byte, key any) error {
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("%T is not a public key of RSA", key)
	}
	hash := p.hash.New()
	_, _ = hash.Write(signed) // a hash takes every write
	return rsa.VerifyPSS(public, p.hash, hash.Sum(nil), signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
}
