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
	// rememberFor is how long after its last use a good password is hashed again:
	// a working day. A change of the hash ends the memory at once.
	rememberFor = 12 * time.Hour
	// rememberAtMost bounds how many good passwords are remembered.
	rememberAtMost = 10_000
	// waitAtMost bounds how many requests wait for a processor to hash on, of
	// one client half of them; the next one is turned away with 503.
	waitAtMost = 128
)

// errBusy is the reason why a password was not looked at.
var errBusy = errors.New("too many password hashes are being computed")

// hashing is what all Basic schemes of the process share: the processors are
// shared too, and a reload must not forget who is known.
var hashing = sync.OnceValue(func() *hasher {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails, see crypto/rand
	return newHasher(key, atOnce())
})

func newHasher(key []byte, slots int) *hasher {
	return &hasher{
		key:   key,
		queue: fairness.NewFairQueue(func() int { return slots }, fairness.NewFairQuota(waitAtMost)),
		good: otter.Must(&otter.Options[digest, struct{}]{
			MaximumSize:      rememberAtMost,
			ExpiryCalculator: otter.ExpiryAccessing[digest, struct{}](rememberFor),
		}),
	}
}

// atOnce is how many hashes are computed at a time.
func atOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

type digest [sha256.Size]byte

type hasher struct {
	key     []byte
	queue   *fairness.FairQueue
	good    *otter.Cache[digest, struct{}]
	flights singleflight.Group
}

// compare reports whether the password belongs to the account. Only good
// passwords are remembered, so that nobody can fill the memory with bad ones.
// The client is asked for where a hash has to be computed.
func compare(user *account, name, password string, client func() string) (bool, authn.Source, error) {
	h := hashing()
	key := h.digest(name, string(user.hash), password)
	if _, known := h.good.GetIfPresent(key); known {
		return true, authn.SourceCache, nil
	}
	caller := client()
	same, err, _ := h.flights.Do(string(key[:]), func() (any, error) {
		if _, known := h.good.GetIfPresent(key); known {
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

// remembers reports whether the password is known to belong to the account.
func (h *hasher) remembers(user *account, password string) bool {
	_, known := h.good.GetIfPresent(h.digest(user.name, string(user.hash), password))
	return known
}

// digest stands for a password in the memory of this process: without the
// key, which never leaves it, nothing can be tried against it. The lengths
// keep one triple from reading as another.
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

// compute hashes the password when it is the client's turn. It does not end with
// the request that asked first: others may wait for the same answer.
func (h *hasher) compute(user *account, password, client string) (bool, error) {
	if !h.queue.Acquire(context.Background(), client, fairness.HashTimeout) {
		return false, errBusy
	}
	defer h.queue.Release()
	return user.comparer.Compare(user.hash, []byte(password))
}
