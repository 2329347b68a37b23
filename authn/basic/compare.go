package basic

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/fairness"
)

const (
	// rememberFor is how long a correct password is remembered after its last use: a
	// working day. A change of the hash removes it at once.
	rememberFor = 12 * time.Hour
	// maxRemembered bounds the remembered passwords.
	maxRemembered = 10_000
	// maxWaiting bounds the requests that wait to compute a hash. One client can have
	// half of them. A request beyond the bound gets 503.
	maxWaiting = 128
)

// errBusy is the reason for an unverified password.
var errBusy = errors.New("too many password hashes are being computed")

// hashing is the hasher of all Basic schemes of the process. They share the processors,
// and a reload keeps the remembered passwords.
var hashing = sync.OnceValue(func() *hasher {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	return newHasher(key, atOnce())
})

func newHasher(key []byte, slots int) *hasher {
	return &hasher{
		key:   key,
		queue: fairness.NewFairQueue(func() int { return slots }, fairness.NewFairQuota(maxWaiting)),
		good: otter.Must(&otter.Options[digest, struct{}]{
			MaximumSize:      maxRemembered,
			ExpiryCalculator: otter.ExpiryAccessing[digest, struct{}](rememberFor),
		}),
	}
}

// atOnce is how many hashes are computed at once.
func atOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

type digest [sha256.Size]byte

type hasher struct {
	key     []byte
	queue   *fairness.FairQueue
	good    *otter.Cache[digest, struct{}]
	flights singleflight.Group
}

// compare reports whether the password belongs to the account. It remembers correct
// passwords only, so wrong ones cannot fill the memory. It calls client only when it
// computes a hash.
func compare(user *account, name, password string, client func() string) (bool, authn.Source, error) {
	h := hashing()
	key := h.digest(name, string(user.hash), password)
	if _, found := h.good.GetIfPresent(key); found {
		return true, authn.SourceCache, nil
	}
	caller := client()
	same, err, _ := h.flights.Do(string(key[:]), func() (any, error) {
		if _, found := h.good.GetIfPresent(key); found {
			return true, nil // a flight landed since the request looked
		}
		same, err := h.compute(user, password, caller)
		if same && err == nil && name == user.name {
			h.good.Set(key, struct{}{})
		}
		return same, err
	})
	if err != nil {
		return false, authn.SourceLocal, err
	}
	return same.(bool), authn.SourceLocal, nil
}

// remembers reports whether the password recently matched the account.
func (h *hasher) remembers(user *account, password string) bool {
	_, found := h.good.GetIfPresent(h.digest(user.name, string(user.hash), password))
	return found
}

// digest identifies a password in the memory of this process. Without the key, which
// never leaves the process, an attacker cannot try passwords against it. The lengths
// keep two triples apart that are equal when joined.
func (h *hasher) digest(parts ...string) (sum digest) {
	mac := hmac.New(sha256.New, h.key)
	for _, part := range parts {
		writeLength(mac, len(part))
		_, _ = io.WriteString(mac, part) // a hash takes every write
	}
	mac.Sum(sum[:0])
	return sum
}

func writeLength(mac hash.Hash, n int) {
	_, _ = mac.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) // a hash takes every write
}

// compute hashes the password when the client has its turn. The context of the first
// request does not end it, because other requests may wait for the same result.
func (h *hasher) compute(user *account, password, client string) (bool, error) {
	if !h.queue.Acquire(context.Background(), client, fairness.HashTimeout) {
		return false, errBusy
	}
	defer h.queue.Release()
	return user.comparer.Compare(user.hash, []byte(password))
}
