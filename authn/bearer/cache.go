package bearer

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/compact"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

const (
	// defaultCacheSize bounds the tokens that are remembered, in bytes as
	// [verified.weigh] estimates them: some 100,000 tokens.
	defaultCacheSize = 64 << 20

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
	authn.Identity // without its claims

	// Audience is that of the gate, if the token is good only there.
	Audience string

	bound confirmation
	names names
	keys  uint64 // the fingerprint of the keys it was verified with
}

// outcome is what is said about the token when it is recalled.
func (v *verified) outcome(token string) authn.Outcome {
	recalled := new(struct {
		authn.Identity
		claims authn.Claims
	})
	recalled.Identity = v.Identity
	recalled.Claims = &recalled.claims
	recalled.claims.DecodeLater(token, compact.Claims)
	outcome := authn.Accept(&recalled.Identity, authn.SourceCache)
	outcome.Audience = v.Audience
	return outcome
}

// detached returns a copy that shares no memory with the token. The issuer is
// the configured one for nearly all tokens.
func (v *verified) detached(issuer string) *verified {
	alone := *v
	alone.Claims = nil
	for _, text := range []*string{
		&alone.ID, &alone.Client, &alone.Audience,
		&alone.bound.thumbprint, &alone.bound.certificate, &alone.names.tokenID, &alone.names.subject,
	} {
		*text = strings.Clone(*text)
	}
	alone.Scopes, alone.Roles = detachedList(v.Scopes), detachedList(v.Roles)
	if alone.Issuer != issuer {
		issuer = strings.Clone(alone.Issuer)
	}
	alone.Issuer = issuer
	if alone.names.subject == alone.ID {
		alone.names.subject = alone.ID // one text for both
	}
	return &alone
}

// detachedList copies a list into one piece of memory.
func detachedList(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	joined, copied := strings.Join(list, ""), make([]string, len(list))
	for i, text := range list {
		copied[i], joined = joined[:len(text)], joined[len(text):]
	}
	return copied
}

// weigh estimates the memory of an entry, in bytes.
func (v *verified) weigh() uint32 {
	weight := 480 + len(v.ID) + len(v.Client) + len(v.Issuer) + len(v.Audience) + len(v.names.tokenID)
	for _, list := range [][]string{v.Scopes, v.Roles} {
		for _, text := range list {
			weight += 16 + len(text)
		}
	}
	return uint32(weight)
}

// cache remembers good tokens by the digest of the whole token. Bad ones are
// not remembered, so that nobody can push good ones out.
type cache struct {
	*otter.Cache[[sha256.Size]byte, *verified]
}

func newCache(size uint64) *cache {
	return &cache{otter.Must(&otter.Options[[sha256.Size]byte, *verified]{
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
	var room [2048]byte
	return sha256.Sum256(append(room[:0], token...))
}

// remember keeps a token that was found good.
func (b *Bearer) remember(known *verified) {
	if b.cache != nil {
		b.cache.Set(known.names.digest, known.detached(b.Issuer))
	}
}

// recall returns what is known about a token for this gate, or nil. A withdrawn
// key ends what was verified with it, because the fingerprint of the keys
// changes.
func (b *Bearer) recall(p presented, r *authn.Request) *verified {
	if b.cache == nil {
		return nil
	}
	known, found := b.cache.GetIfPresent(p.digest)
	switch {
	case !found, known.keys != p.keys:
		return nil
	case !b.now().Before(known.Expires.Add(b.skew)):
		return nil
	case known.Audience != "" && known.Audience != r.Audience:
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
