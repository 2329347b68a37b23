package basic

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/internal/keyedhash"
	"github.com/excorp/caddy-require-auth/internal/zerocopy"
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
var hashing = sync.OnceValue(func() *hasher { return newHasher(atOnce()) })

func newHasher(slots int) *hasher {
	return &hasher{
		queue: fairness.NewFairQueue(func() int { return slots }, fairness.NewFairQuota(maxWaiting)),
		good: otter.Must(&otter.Options[keyedhash.Digest, struct{}]{
			MaximumSize:      maxRemembered,
			ExpiryCalculator: otter.ExpiryAccessing[keyedhash.Digest, struct{}](rememberFor),
		}),
	}
}

// atOnce is how many hashes are computed at once.
func atOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

type hasher struct {
	queue   *fairness.FairQueue
	good    *otter.Cache[keyedhash.Digest, struct{}]
	flights singleflight.Group
}

// compare reports whether the password belongs to the account. It remembers correct
// passwords only, so wrong ones cannot fill the memory. It calls client only when it
// computes a hash.
func compare(user *account, name, password string, client func() string) (bool, authn.Source, error) {
	h := hashing()
	key := digestOf(name, user, password)
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
	_, found := h.good.GetIfPresent(digestOf(user.name, user, password))
	return found
}

// digestOf identifies a password in the memory of this process. A change of the hash
// changes it.
func digestOf(name string, user *account, password string) keyedhash.Digest {
	return keyedhash.OfList(name, zerocopy.String(user.hash), password)
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
