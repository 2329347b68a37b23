package bearer

import (
	"cmp"
	"crypto/sha256"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// Tokens are sent again and again, bad ones too: HTTP/2 repeats one for a byte.
// What reading it costs depends on what its sender wrote, up to a signature
// check, so what was found is kept for a moment. Each memory is apart from that
// of good tokens, which nobody can push out.
const (
	maxRefusals = 10_000
	refusedFor  = 10 * time.Second
)

// bounded remembers values by the digests of tokens. When it is full it begins
// again from nothing.
type bounded[V any] struct {
	mutex  sync.Mutex
	values map[[sha256.Size]byte]V
}

func (b *bounded[V]) get(digest [sha256.Size]byte) (V, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	value, found := b.values[digest]
	return value, found
}

func (b *bounded[V]) put(digest [sha256.Size]byte, value V) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.values == nil || len(b.values) >= maxRefusals {
		b.values = make(map[[sha256.Size]byte]V)
	}
	b.values[digest] = value
}

// issuers are those that tokens name: of a text that is always the same.
var issuers bounded[string]

// refusal is why a token was refused by certain keys, and until when that holds.
type refusal struct {
	outcome authn.Outcome
	keys    uint64
	until   time.Time
}

// recallRefusal returns why a token was refused a moment ago.
func (b *Bearer) recallRefusal(p presented) (authn.Outcome, bool) {
	if b.cache == nil || p.trace != nil {
		return authn.Outcome{}, false
	}
	known, found := b.cache.refusals.get(p.digest)
	if !found || known.keys != p.keys || !b.now().Before(known.until) {
		return authn.Outcome{}, false
	}
	return known.outcome, true
}

// refuseAgain has a token refused for the same reason for a moment, or until its
// client may try again. Only what depends on nothing but the token and the keys is
// remembered.
func (b *Bearer) refuseAgain(p presented, outcome authn.Outcome) authn.Outcome {
	if b.cache != nil && p.trace == nil {
		kept := outcome
		kept.Source = authn.SourceCache
		until := b.now().Add(min(refusedFor, cmp.Or(outcome.RetryAfter, refusedFor)))
		b.cache.refusals.put(p.digest, refusal{outcome: kept, keys: p.keys, until: until})
	}
	return outcome
}
