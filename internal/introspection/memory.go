package introspection

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
)

const (
	// badFor is how long a token stays bad without asking again: long enough
	// against a client that tries it in a loop, short enough for a token that
	// the endpoint does not know yet.
	badFor = 5 * time.Second
	// failedFor is how long a token is not asked about again after a failed call.
	failedFor = time.Second
	// maxBad bounds the bad tokens that are remembered. Strangers fill it, so it
	// does not grow with maxEntries.
	maxBad = 10_000
	// entrySize is the size in bytes up to which an answer is one entry.
	entrySize = 4 << 10
)

// digest stands for a token in memory; the token itself is never kept.
type digest [sha256.Size]byte

// digest covers all that an answer depends on. The lengths keep one triple from
// reading as another.
func (c *Config) digest(token string) (sum digest) {
	server := c.Endpoint
	if server == "" {
		server = c.Issuer
	}
	h := sha256.New()
	for _, part := range []string{server, c.ClientID, token} {
		writePart(h, part)
	}
	h.Sum(sum[:0])
	return sum
}

func writePart(h hash.Hash, part string) {
	length := binary.BigEndian.AppendUint64(nil, uint64(len(part)))
	_, _ = h.Write(length) // a hash takes every write
	_, _ = io.WriteString(h, part)
}

// memory keeps answers. Good tokens and bad ones have a cache each, so that
// nobody can push the good ones out by trying bad ones.
//
// Entries say themselves until when they may be used, by the clock of the
// configuration. That of the caches only sets memory free.
type memory struct {
	lifetime  time.Duration // of active answers; zero keeps none
	good      *otter.Cache[digest, remembered]
	bad       *otter.Cache[digest, remembered]
	forgotten atomic.Uint64
}

// remembered is an active answer, an inactive one, or why there is no answer.
type remembered struct {
	answer  Answer
	failure error
	until   time.Time
}

func newMemory(config *Config) (*memory, error) {
	m := &memory{lifetime: config.Cache}
	var err error
	m.good, err = otter.New(&otter.Options[digest, remembered]{
		MaximumWeight:    uint64(config.maxEntries),
		Weigher:          func(_ digest, entry remembered) uint32 { return 1 + uint32(entry.answer.size/entrySize) },
		ExpiryCalculator: otter.ExpiryWriting[digest, remembered](max(config.Cache, time.Second)),
	})
	if err != nil {
		return nil, err
	}
	m.bad, err = otter.New(&otter.Options[digest, remembered]{
		MaximumSize:      maxBad,
		ExpiryCalculator: otter.ExpiryWriting[digest, remembered](badFor),
	})
	return m, err
}

// recall returns what is remembered of a token.
func (m *memory) recall(key digest, now time.Time) (answer Answer, known bool, err error) {
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

// edition is to be read before a call, and to be given with what it brought: an
// answer that was on its way when a token was forgotten is not kept.
func (m *memory) edition() uint64 { return m.forgotten.Load() }

// keep remembers an answer to a call that began at a certain time. An active one
// is kept until the token expires, at the longest (RFC 7662 §4).
func (m *memory) keep(edition uint64, key digest, answer Answer, began time.Time) {
	if !answer.Active {
		m.put(m.bad, edition, key, remembered{until: began.Add(badFor)})
		return
	}
	until := began.Add(m.lifetime)
	if !answer.Expires.IsZero() && answer.Expires.Before(until) {
		until = answer.Expires
	}
	if until.After(began) {
		m.put(m.good, edition, key, remembered{answer: answer, until: until})
	}
}

func (m *memory) keepFailure(edition uint64, key digest, reason error, until time.Time) {
	m.put(m.bad, edition, key, remembered{failure: reason, until: until})
}

// put looks for a change of edition after it has written: whoever forgets later
// than that removes what was written.
func (m *memory) put(cache *otter.Cache[digest, remembered], edition uint64, key digest, entry remembered) {
	cache.Set(key, entry)
	if m.forgotten.Load() != edition {
		cache.Invalidate(key)
	}
}

func (m *memory) forget(key digest) {
	m.forgotten.Add(1)
	m.good.Invalidate(key)
	m.bad.Invalidate(key)
}
