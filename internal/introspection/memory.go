package introspection

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// badFor is how long the cache keeps an inactive token. It slows down a client that
	// tries one in a loop, and is short enough for a token that the endpoint does not know
	// yet.
	badFor = 5 * time.Second
	// failedFor is how long after a failed call the same token causes no other.
	failedFor = time.Second
	// maxBad bounds the inactive tokens. Strangers fill it, so it does not grow with
	// maxEntries.
	maxBad = 10_000
	// entrySize is the size in bytes up to which an answer is one entry.
	entrySize = 4 << 10
)

// digest identifies a token in memory; the token itself is never kept.
type digest [sha256.Size]byte

// digest covers all that an answer depends on. The lengths keep two triples apart that
// are equal when joined.
func (c *Config) digest(token string) (sum digest) {
	h := sha256.New()
	for _, part := range []string{cmp.Or(c.Endpoint, c.Issuer), c.ClientID, token} {
		_ = binary.Write(h, binary.BigEndian, uint64(len(part))) // a hash takes every write
		_, _ = io.WriteString(h, part)
	}
	h.Sum(sum[:0])
	return sum
}

// memory keeps answers. Good tokens and bad ones have a cache each, so that
// invalid tokens cannot evict valid ones.
//
// Entries say themselves until when they may be used, by the clock of the
// configuration. The limit of the caches only frees memory.
type memory struct {
	lifetime time.Duration // of active answers; zero keeps none
	good     *otter.Cache[digest, record]
	bad      *otter.Cache[digest, record]
}

// record is an active answer, an inactive one, or the error of a failed call.
type record struct {
	answer  Answer
	failure error
	until   time.Time
}

func newMemory(config *Config) *memory {
	return &memory{
		lifetime: config.Cache,
		good: otter.Must(&otter.Options[digest, record]{
			MaximumWeight:    uint64(config.maxEntries),
			Weigher:          func(_ digest, entry record) uint32 { return 1 + uint32(entry.answer.size/entrySize) },
			ExpiryCalculator: otter.ExpiryWriting[digest, record](max(config.Cache, time.Second)),
		}),
		bad: otter.Must(&otter.Options[digest, record]{
			MaximumSize:      maxBad,
			ExpiryCalculator: otter.ExpiryWriting[digest, record](badFor),
		}),
	}
}

// recall returns the cached answer for a token.
func (m *memory) recall(key digest, now time.Time) (answer Answer, found bool, err error) {
	entry, found := m.good.GetIfPresent(key)
	if !found || !now.Before(entry.until) {
		entry, found = m.bad.GetIfPresent(key)
	}
	switch {
	case !found || !now.Before(entry.until):
		return Answer{}, false, nil
	case entry.failure != nil:
		return Answer{}, true, unavailable(entry.failure, entry.until.Sub(now))
	}
	entry.answer.FromCache = true
	return entry.answer, true, nil
}

// keep caches the answer to a call that began at a given time. An active one ends with
// the token, at the latest (RFC 7662 §4).
func (m *memory) keep(key digest, answer Answer, began time.Time) {
	if !answer.Active {
		m.bad.Set(key, record{until: began.Add(badFor)})
		return
	}
	until := began.Add(m.lifetime)
	if !answer.Expires.IsZero() && answer.Expires.Before(until) {
		until = answer.Expires
	}
	if until.After(began) {
		m.good.Set(key, record{answer: answer, until: until})
	}
}

func (m *memory) keepFailure(key digest, reason error, until time.Time) {
	m.bad.Set(key, record{failure: reason, until: until})
}
