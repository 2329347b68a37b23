package bearer

import (
	"crypto/sha256"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

const (
	// cacheWeight bounds the tokens that are remembered, in bytes as [weigh]
	// estimates them.
	cacheWeight = 64 << 20

	// cacheFor is how long a token is remembered at most. It bounds for how
	// long a key set that should no longer be used still counts.
	cacheFor = 5 * time.Minute
)

// verified is a token that was found good here: what it says does not change,
// so only time, keys and the gate have to be looked at again.
type verified struct {
	claims  map[string]any
	outcome authn.Outcome
	names   revocationNames
	keys    uint64 // the generation of the keys it was verified with
	size    int    // of the token, in bytes
}

// cache remembers good tokens by the digest of the whole token. Bad ones are
// not remembered, so that nobody can push good ones out.
type cache = otter.Cache[[sha256.Size]byte, verified]

func newCache() *cache {
	return otter.Must(&otter.Options[[sha256.Size]byte, verified]{
		MaximumWeight:    cacheWeight,
		Weigher:          weigh,
		ExpiryCalculator: otter.ExpiryWriting[[sha256.Size]byte, verified](cacheFor),
	})
}

// weigh estimates the memory of an entry: the decoded claims take about four
// times their text.
func weigh(_ [sha256.Size]byte, v verified) uint32 {
	return uint32(1280 + 4*v.size)
}

// recall returns what is known about a token for this gate. A withdrawn key
// ends what was verified with it, because the generation of the keys changes.
func (b *Bearer) recall(digest [sha256.Size]byte, r *authn.Request) (verified, bool) {
	known, found := b.cache.GetIfPresent(digest)
	switch {
	case !found, known.keys != b.keys.Generation():
		return verified{}, false
	case !b.now().Before(known.outcome.Identity.Expires.Add(b.skew)):
		return verified{}, false
	case known.outcome.Audience != "" && known.outcome.Audience != r.Audience:
		return verified{}, false
	}
	return known, true
}

// generational is a source that says when its keys change.
type generational interface {
	keyset.Source
	Generation() uint64
}

// Generation is a number that changes when the keys of any source do: each
// source counts up.
func (s sources) Generation() uint64 {
	var sum uint64
	for _, source := range s {
		sum += source.Generation()
	}
	return sum
}
