package basic

import (
	"context"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// counting compares without hashing, and counts how often.
type counting struct {
	password string
	calls    atomic.Int64
	now      atomic.Int64
	most     atomic.Int64
	gate     chan struct{} // a computation ends when something comes out; nil for at once
	err      error
}

func (c *counting) Compare(_, password []byte) (bool, error) {
	c.calls.Add(1)
	for now, most := c.now.Add(1), c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); {
		most = c.most.Load()
	}
	defer c.now.Add(-1)
	if c.gate != nil {
		<-c.gate
	}
	return string(password) == c.password, c.err
}

// since returns how many computations there were during work.
func (c *counting) since(work func()) int64 {
	before := c.calls.Load()
	work()
	return c.calls.Load() - before
}

// alone gives the test a hasher of its own with so many slots.
func alone(t *testing.T, slots int) *hasher {
	t.Helper()
	h := newHasher(slots)
	h.good.StopAllGoroutines() // they would clean up each second of the hours that a fake clock skips
	before := hashing
	hashing = func() *hasher { return h }
	t.Cleanup(func() { hashing = before })
	return h
}

// users is a scheme with these users, all compared by c.
func users(t *testing.T, c *counting, names ...string) *Basic {
	t.Helper()
	var accounts []account
	for _, name := range names {
		accounts = append(accounts, account{name: name, hash: []byte("hash of " + name), comparer: c, identity: &authn.Identity{ID: name}})
	}
	directory, err := newDirectory(accounts)
	if err != nil {
		t.Fatal(err)
	}
	b := new(Basic)
	b.users.Store(directory)
	return b
}

// try presents a user name and a password.
func try(b *Basic, pair string) authn.Outcome { return tryRaw(b, encode(pair)) }

func tryRaw(b *Basic, value string) authn.Outcome {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Basic "+value)
	request := authn.NewRequest(r)
	credential, err := b.Find(request)
	if err != nil {
		return authn.Reject(authn.CodeInvalidRequest, err)
	}
	return b.Verify(context.Background(), request, credential)
}
