package bearer

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

const (
	// defaultCacheSize bounds the tokens that are remembered, in bytes as
	// [verified.weigh] estimates them: some 100,000 tokens.
	defaultCacheSize = 40 << 20

	// cacheFor is how long a token is remembered at most. It bounds for how
	// long a key set that should no longer be used still counts.
	cacheFor = 5 * time.Minute
)

// verified is a token that was found good here: what it says does not change,
// so only time, keys and the gate have to be looked at again. It holds what
// nearly every request needs, and nothing that would keep the rest of the
// token alive: the claims are decoded from the token that comes with the
// request, which is the same one if its digest is.
type verified struct {
	user    string
	granted *granted
	names   names
	expires int64  // Unix milliseconds; zero for never
	keys    uint64 // the fingerprint of the keys it was verified with
	rare    *rare  // nil for nearly all tokens
}

// rare is what few tokens have.
type rare struct {
	audience string // that of the gate, if the token is good only there
	bound    confirmation
}

func newVerified(t *token, outcome authn.Outcome, keys uint64) (*verified, error) {
	bound, err := readConfirmation(t.claims)
	if err != nil {
		return nil, err
	}
	identity := outcome.Identity
	v := &verified{
		user: identity.ID, names: namesOf(t.claims), keys: keys,
		granted: &granted{client: identity.Client, issuer: identity.Issuer, scopes: identity.Scopes, roles: identity.Roles},
	}
	if !identity.Expires.IsZero() {
		v.expires = identity.Expires.UnixMilli()
	}
	if bound != (confirmation{}) || t.audience != "" {
		v.rare = &rare{t.audience, bound}
	}
	return v, nil
}

// outcome is what is said about the token when it is recalled.
func (v *verified) outcome(token string) authn.Outcome {
	recalled := new(struct {
		authn.Identity
		claims authn.Claims
	})
	recalled.Identity = authn.Identity{
		ID: v.user, Client: v.granted.client, Issuer: v.granted.issuer, Scopes: v.granted.scopes, Roles: v.granted.roles,
		Claims: &recalled.claims, Expires: time.UnixMilli(v.expires),
	}
	recalled.claims.DecodeLater(token, jose.Claims)
	return authn.Accept(&recalled.Identity, authn.SourceCache)
}

func (v *verified) audience() string {
	if v.rare == nil {
		return ""
	}
	return v.rare.audience
}

func (v *verified) bound() confirmation {
	if v.rare == nil {
		return confirmation{}
	}
	return v.rare.bound
}

// detached returns a copy that shares no memory with the token.
func (v *verified) detached() *verified {
	alone := *v
	alone.user, alone.names.tokenID = strings.Clone(v.user), strings.Clone(v.names.tokenID)
	if alone.names.subject = alone.user; v.names.subject != v.user {
		alone.names.subject = strings.Clone(v.names.subject)
	}
	alone.granted = grants.share(v.granted)
	if v.rare != nil {
		alone.rare = &rare{
			audience: strings.Clone(v.rare.audience),
			bound:    confirmation{strings.Clone(v.rare.bound.thumbprint), strings.Clone(v.rare.bound.certificate)},
		}
	}
	return &alone
}

// weigh estimates the memory of an entry, in bytes.
func (v *verified) weigh() uint32 {
	weight := 300 + len(v.user) + len(v.names.tokenID)
	if v.granted.own {
		weight += v.granted.size()
	}
	if v.names.subject != v.user {
		weight += len(v.names.subject)
	}
	if v.rare != nil {
		weight += 200 + len(v.rare.audience) + len(v.rare.bound.thumbprint) + len(v.rare.bound.certificate)
	}
	return uint32(weight)
}

// cache remembers good tokens by the digest of the whole token, and bad ones for
// a moment and apart, so that nobody can push good ones out.
type cache struct {
	*otter.Cache[[sha256.Size]byte, *verified]
	refusals bounded[refusal]
}

func newCache(size uint64) *cache {
	return &cache{Cache: otter.Must(&otter.Options[[sha256.Size]byte, *verified]{
		MaximumWeight:    size,
		Weigher:          func(_ [sha256.Size]byte, v *verified) uint32 { return v.weigh() },
		ExpiryCalculator: otter.ExpiryWriting[[sha256.Size]byte, *verified](cacheFor),
	})}
}

// Destruct lets go of the tokens once no configuration has the scheme.
func (c *cache) Destruct() error {
	c.StopAllGoroutines()
	return nil
}

// caches are those in use, by what schemes are configured to accept. They
// outlive a configuration; schemes that are configured alike share one.
var caches = caddy.NewUsagePool()

// openCache finds the cache of the scheme. What the keys are is not part of
// the configuration: see [verified.keys].
func (b *Bearer) openCache() error {
	if b.TokenCache != nil && *b.TokenCache == 0 || len(b.keys) == 0 {
		return nil
	}
	config, err := json.Marshal(b)
	if err != nil {
		return err
	}
	key := sha256.Sum256(config)
	opened, _, err := caches.LoadOrNew(key, func() (caddy.Destructor, error) {
		size := uint64(defaultCacheSize)
		if b.TokenCache != nil {
			size = *b.TokenCache
		}
		return newCache(size), nil
	})
	if err != nil {
		return err
	}
	b.cache = opened.(*cache)
	b.release = append(b.release, func() error {
		_, err := caches.Delete(key)
		return err
	})
	return nil
}

// digestOf returns the digest of a whole token. Nearly all of them fit into the
// room on the stack, which saves an allocation for each request.
func digestOf(token string) [sha256.Size]byte {
	steps.Add(len(token))
	var room [2048]byte
	return sha256.Sum256(append(room[:0], token...))
}

// remember keeps a token that was found good.
func (b *Bearer) remember(digest [sha256.Size]byte, known *verified) {
	if b.cache != nil {
		b.cache.Set(digest, known.detached())
	}
}

// recall returns what is known about a token for this gate, or nil. A withdrawn
// key ends what was verified with it, because the fingerprint of the keys
// changes.
func (b *Bearer) recall(p presented, r *authn.Request) *verified {
	if b.cache == nil || p.trace != nil {
		return nil
	}
	known, found := b.cache.GetIfPresent(p.digest)
	switch {
	case !found, known.keys != p.keys:
		return nil
	case !b.now().Before(time.UnixMilli(known.expires).Add(b.skew)):
		return nil
	case known.audience() != "" && !r.MeansAudience(known.audience()):
		return nil
	}
	return known
}

// fingerprinted is a source that says when its keys change.
type fingerprinted interface {
	keyset.Source
	Fingerprint() uint64
}

// Fingerprint is a number that changes when the keys of any source do.
func (s sources) Fingerprint() uint64 {
	var all uint64
	for _, source := range s {
		all = all*31 + source.Fingerprint()
	}
	return all
}
