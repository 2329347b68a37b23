//go:build redis

package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

// holder has a key and a token that is bound to it.
type holder struct {
	t     *testing.T
	key   *ecdsa.PrivateKey
	token string
}

func newHolder(t *testing.T) holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bound := harness.Claims{"cnf": map[string]any{"jkt": dpoptest.Thumbprint(t, key.Public())}}
	return holder{t: t, key: key, token: harness.Token(t, bound)}
}

// proof makes a new proof for a request to the group.
func (h holder) proof() harness.Option {
	return harness.Header("Dpop", dpoptest.Proof(h.t, h.key, map[string]any{
		"htm": "GET", "htu": "http://" + publicHost + "/", "ath": dpoptest.Hash(h.token),
	}, nil))
}

func (h holder) presented() harness.Option { return harness.Header("Authorization", "DPoP "+h.token) }

// load asks all instances all the time, with a plain token and with proofs.
type load struct {
	plain, proven tally
	stopping      atomic.Bool
	workers       sync.WaitGroup
}

// tally counts answers, and keeps the longest wait for one.
type tally struct {
	mutex   sync.Mutex
	answers map[string]int
	longest time.Duration
}

func (c *tally) add(status int, code string, waited time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.answers == nil {
		c.answers = make(map[string]int)
	}
	c.answers[fmt.Sprintf("%d %s", status, code)]++
	c.longest = max(c.longest, waited)
}

// so far is what was answered since the last time.
func (c *tally) soFar() (map[string]int, time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	answers, longest := maps.Clone(c.answers), c.longest
	c.answers, c.longest = nil, 0
	return answers, longest
}

// The answers of the tallies.
const (
	good        = "200 "
	unavailable = "503 temporarily_unavailable"
	isRevoked   = "401 revoked_token"
)

// startLoad goes on until the test ends, or it is stopped.
func startLoad(t *testing.T, group []*instance) *load {
	t.Helper()
	l := new(load)
	token, h := harness.Token(t), newHolder(t)
	for _, each := range group {
		for range 2 {
			l.work(&l.plain, func() (int, string) { return each.try("/", harness.Bearer(token)) })
			l.work(&l.proven, func() (int, string) { return each.try("/", h.presented(), h.proof()) })
		}
	}
	t.Cleanup(l.stop)
	return l
}

func (l *load) work(count *tally, request func() (int, string)) {
	l.workers.Go(func() {
		for !l.stopping.Load() {
			began := time.Now()
			status, code := request()
			count.add(status, code, time.Since(began))
		}
	})
}

func (l *load) stop() {
	l.stopping.Store(true)
	l.workers.Wait()
}

// during runs something and returns what was answered meanwhile.
func (l *load) during(action func()) (plain, proven map[string]int, longest time.Duration) {
	l.plain.soFar()
	l.proven.soFar()
	action()
	plain, long := l.plain.soFar()
	proven, longer := l.proven.soFar()
	return plain, proven, max(long, longer)
}

// only reports whether nothing else was answered, and each of these.
func only(answers map[string]int, want ...string) bool {
	for _, each := range want {
		if answers[each] == 0 {
			return false
		}
	}
	return len(answers) == len(want)
}
