package bearer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// checkSignature verifies the signature with the keys of the issuer. With
// introspection, the endpoint decides about a token whose key is not published.
func (b *Bearer) checkSignature(v *verification) error {
	unavailable, err := b.keys.check(v.ctx, v.key.digest, v.token, func(keys []*keyset.Key) error {
		if keys = b.forIssuer(v.token, keys); len(keys) == 0 {
			return errOtherTenant
		}
		return verifyOnce(v, keys)
	})
	if errors.Is(err, errNoKey) && strings.HasPrefix(v.algorithm, "HS") && len(b.HMACSecret) == 0 {
		err = errNoSecret
	}
	switch {
	case errors.Is(err, errNoKey) && b.remote != nil:
		v.token = new(token)
		return nil
	case unavailable != nil:
		return undecidedError{unavailable, errors.Is(err, errBadSignature)}
	case err != nil:
		return b.diagnose(v.token, err)
	}
	return v.decodeClaims()
}

var (
	errNoKey        = errors.New("no key of the issuer fits kid and alg")
	errNoSecret     = fmt.Errorf("%w: the token is signed with a secret, and this scheme has public keys", errNoKey)
	errBadSignature = errors.New("the signature fits no key")
	errGraph        = errors.New("the signature fits no key: the header has a nonce, as tokens for Microsoft Graph do, which only Graph can verify; request a token with a scope of this API")
)

// flights are the signatures being checked, by token and keys.
var flights singleflight.Group

// verifyOnce checks a signature. Requests that come with the same new token at the
// same time share one check: a page that loads asks for many things at once.
//
// The address identifies the keys, and not their fingerprint. The fingerprint is zero
// for every scheme without keys when the request began. A signature by the keys of one
// scheme must not count for another (RFC 8725 §3.8).
func verifyOnce(v *verification, keys []*keyset.Key) error {
	t := v.token
	address := uint64(reflect.ValueOf(keys).Pointer())
	flight := string(binary.NativeEndian.AppendUint64(v.key.digest[:len(v.key.digest):len(v.key.digest)], address))
	_, err, _ := flights.Do(flight, func() (any, error) { return nil, t.verify(keys) })
	return err
}

// verify checks the signature with each key that fits.
func (t *token) verify(keys []*keyset.Key) error {
	failure := errNoKey
	for _, key := range keys {
		if !key.Allows(t.algorithm) {
			continue
		}
		if t.signed.Verify(t.algorithm, key.Public) == nil {
			return nil
		}
		failure = errBadSignature
	}
	return failure
}

// decodeClaims reads the claims of a verified token.
func (t *token) decodeClaims() error {
	err := t.signed.DecodeClaims()
	t.claims = t.signed.Claims
	return err
}

// diagnose adds the cause to the error of a signature.
func (b *Bearer) diagnose(t *token, failure error) error {
	if _, hashed := t.signed.Header["nonce"]; hashed && errors.Is(failure, errBadSignature) {
		return errGraph
	}
	if t.keyID == "" || !errors.Is(failure, errNoKey) {
		return failure
	}
	for _, source := range b.keys {
		if skipped := source.keys.All().WhySkipped(t.keyID); skipped != "" {
			return fmt.Errorf("%w: the published key cannot be used: %s", failure, skipped)
		}
	}
	return failure
}

// foundKey describes the key that the token names.
func (v *verification) foundKey() string {
	switch {
	case v.introspected():
		return "no published key fits, so the introspection endpoint decides"
	case v.keyID == "":
		return "no kid"
	}
	return "kid " + shorten(v.keyID)
}

// errOtherTenant means that the keys at hand are for the tokens of others.
var errOtherTenant = errors.New("the key may sign only for another issuer, which its member issuer names")

// forIssuer returns the keys that may sign for the issuer of a token. If many tenants
// share a document of keys, a JWK names its issuer, and some keys are for one tenant.
func (b *Bearer) forIssuer(t *token, keys []*keyset.Key) []*keyset.Key {
	other := func(key *keyset.Key) bool {
		tenant, _ := t.early("tid").(string)
		return key.Issuer != "" && strings.Replace(key.Issuer, idp.TenantPlaceholder, tenant, 1) != t.early("iss")
	}
	if !b.isTemplate() || !slices.ContainsFunc(keys, other) {
		return keys
	}
	return slices.DeleteFunc(slices.Clone(keys), other)
}
