package dpop

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/excorp/caddy-require-auth/internal/jose"
)

// maxID bounds a jti, in bytes. The client chooses it.
const maxID = 256

// checkClaims checks the claims of RFC 9449 §4.2 against the request: items 3, 8, 9, 11
// and 12 of §4.3.
func (v *Verifier) checkClaims(claims map[string]any, r Request) (*Proof, error) {
	id, err := text(claims, "jti")
	if err != nil {
		return nil, err
	}
	if len(id) > maxID {
		return nil, fmt.Errorf("jti is longer than %d bytes", maxID)
	}
	if err := checkMethod(claims, r.Method); err != nil {
		return nil, err
	}
	if err := checkTarget(claims, r.URL); err != nil {
		return nil, err
	}
	issued, err := v.checkAge(claims)
	if err != nil {
		return nil, err
	}
	hash, err := text(claims, "ath")
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare([]byte(hash), []byte(digest([]byte(r.Token)))) != 1 {
		return nil, errors.New("ath is not the hash of the access token")
	}
	return &Proof{ID: id, TokenHash: hash, IssuedAt: issued}, nil
}

// text returns a claim that must be a non-empty string.
func text(claims map[string]any, name string) (string, error) {
	value, isText := claims[name].(string)
	if !isText || value == "" {
		return "", fmt.Errorf("%s is missing or not a string", name)
	}
	return value, nil
}

// checkMethod compares with case: methods are case-sensitive (RFC 9110 §9.1), and HEAD
// is not GET.
func checkMethod(claims map[string]any, method string) error {
	named, err := text(claims, "htm")
	if err != nil {
		return err
	}
	if named != method {
		return errors.New("htm is not the method of the request")
	}
	return nil
}

// checkTarget compares URIs in normal form (RFC 9449 §4.3, item 9).
func checkTarget(claims map[string]any, target string) error {
	named, err := text(claims, "htu")
	if err != nil {
		return err
	}
	if named, err = normalize(named); err != nil {
		return fmt.Errorf("htu: %w", err)
	}
	if target, err = normalize(target); err != nil {
		return fmt.Errorf("target of the request: %w", err)
	}
	if named != target {
		return errors.New("htu is not the target of the request")
	}
	return nil
}

// checkAge requires iat in the window (RFC 9449 §11.1), including its ends.
func (v *Verifier) checkAge(claims map[string]any) (time.Time, error) {
	issued, err := jose.NumericDate(claims, "iat")
	if err != nil {
		return time.Time{}, err
	}
	switch age := v.Now().Sub(issued); {
	case age > maxAge:
		return time.Time{}, errors.New("iat is too long ago")
	case age < -maxAhead:
		return time.Time{}, errors.New("iat is in the future")
	}
	return issued, nil
}

// checkNonce requires a current nonce if the verifier has nonces (RFC 9449 §4.3, item
// 10). A proof without one gets a [NonceError]. A nonce of another type is malformed.
// Without nonces it ignores the claim, which may come from another server.
func (v *Verifier) checkNonce(claims map[string]any) error {
	if v.Nonces == nil {
		return nil
	}
	value, present := claims["nonce"]
	if !present {
		return &NonceError{errNonceMissing}
	}
	nonce, isText := value.(string)
	if !isText {
		return &InvalidError{errors.New("nonce is not a string")}
	}
	if !v.Nonces.Accepts(nonce) {
		return &NonceError{errNonceStale}
	}
	return nil
}
