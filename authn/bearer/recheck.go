package bearer

import (
	"errors"
	"fmt"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/keyedhash"
)

// Generation changes with the keys.
func (b *Bearer) Generation() uint64 { return b.keys.Fingerprint() }

// errWithdrawn is the error for a token whose key is no longer published or configured.
var errWithdrawn = errors.New("the key that signed the token was withdrawn")

// Recheck looks for the key of an accepted token among the keys as they are now. The
// token ends when the leeway for clocks is over, as for a new request. The
// endpoint alone decides about an opaque token.
func (b *Bearer) Recheck(credential authn.Credential, identity *authn.Identity) (ends time.Time, err error) {
	if ends = identity.Expires; !ends.IsZero() {
		ends = ends.Add(b.skew)
	}
	if active, _ := identity.Claim("active"); b.remote != nil && active == true || b.isCached(credential.Value) {
		return ends, nil
	}
	t, err := parse(credential.Value)
	if err != nil {
		return ends, err
	}
	failure := errNoKey
	for _, source := range b.keys {
		keys := source.keys.All()
		if keys == nil {
			return ends, nil // not fetched yet
		}
		if failure = t.verify(keys.Find(t.keyID, t.algorithm)); failure == nil {
			return ends, nil
		}
	}
	return ends, fmt.Errorf("%w: %w", errWithdrawn, failure)
}

// isCached reports whether the keys as they are now have verified the token.
func (b *Bearer) isCached(text string) bool {
	if b.cache == nil {
		return false
	}
	token := b.cache.token(cacheKey{digest: keyedhash.Of(text), config: b.config})
	return token != nil && token.grant.Value().keys == b.keys.Fingerprint()
}

// IsRevoked reports whether an accepted token was revoked since.
func (b *Bearer) IsRevoked(credential authn.Credential, identity *authn.Identity) (bool, error) {
	revoking, err := b.store.HasRevocations()
	if err != nil || !revoking {
		return false, err
	}
	names := namesOf(identity.Claims.All())
	return b.isRevoked(&names, credential.Value, identity.Issuer, identity.ID), nil
}

var _ capability.Rechecker = (*Bearer)(nil)
