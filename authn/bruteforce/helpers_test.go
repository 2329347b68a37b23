package bruteforce

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/store"
)

// fakeStore is a store that uses the fake clock and forgets nothing.
type fakeStore struct {
	store.Store // methods that are not called

	mutex    sync.Mutex
	counters map[store.Key]counter
	entries  map[store.Key]store.Entry
	resets   int
	err      error
}

type counter struct {
	count int
	until time.Time
}

func newFakeStore() *fakeStore {
	return &fakeStore{counters: make(map[store.Key]counter), entries: make(map[store.Key]store.Entry)}
}

func (s *fakeStore) Count(ctx context.Context, key store.Key, forget time.Duration) int {
	if ctx.Err() != nil {
		return 0 // like a store behind a connection
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	current := s.counters[key]
	if !time.Now().Before(current.until) {
		current.count = 0
	}
	s.counters[key] = counter{count: current.count + 1, until: time.Now().Add(forget)}
	return current.count + 1
}

func (s *fakeStore) Reset(_ context.Context, key store.Key) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.resets++
	delete(s.counters, key)
}

func (s *fakeStore) Publish(_ context.Context, entry store.Entry) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.entries[entry.Key] = s.entries[entry.Key].Wider(entry)
	return s.err
}

func (s *fakeStore) Lookup(_ store.EntryKind, key store.Key) (store.Entry, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	entry, found := s.entries[key]
	return entry, found && time.Now().Before(entry.Until)
}

// small are limits that a test reaches soon.
var small = Limits{
	Limit: 3, PerClient: 6, PerAccount: 8,
	Wait: caddy.Duration(30 * time.Second), MaxWait: caddy.Duration(4 * time.Minute), Forget: caddy.Duration(time.Hour),
}

// fixture is a guard with its store.
type fixture struct {
	*Guard
	store *fakeStore
	t     *testing.T
}

// newFixture returns a guard. In a bubble it must be called first.
func newFixture(t *testing.T, limits Limits) *fixture {
	t.Helper()
	memory, store := NewMemory(), newFakeStore()
	_ = memory.Destruct() // it would clean up each second of the days that the fake clock skips
	return &fixture{Guard: New(limits, store, memory, zap.NewNop()), store: store, t: t}
}

// attemptOf returns an attempt of a client for an account.
func attemptOf(client, account, credential string) Attempt {
	return Attempt{Address: client, Credential: credential, Subject: func() Subject { return Subject{Client: client, Account: account} }}
}

// password is the password of every account in the tests.
const password = "good"

// try makes an attempt. It returns 0 if the attempt was verified, else how long it
// must wait.
func (f *fixture) try(client, account, secret string) time.Duration {
	f.t.Helper()
	attempt := attemptOf(client, account, account+":"+secret)
	verified := false
	refusal, refused := f.Allow(f.t.Context(), attempt, func() Result {
		verified = true
		if secret == password {
			return Success
		}
		return Failure
	})
	switch {
	case verified == refused:
		f.t.Fatalf("verified %t and refused %t", verified, refused)
	case refused && (refusal.Code != authn.CodeTooManyAttempts || refusal.Reason == nil || refusal.Verdict != authn.Rejected || refusal.RetryAfter <= 0):
		f.t.Fatalf("refused with %+v", refusal)
	}
	return refusal.RetryAfter
}

// fails makes attempts with a wrong password. All of them must be verified.
func (f *fixture) fails(times int, client, account string) {
	f.t.Helper()
	for i := range times {
		if wait := f.try(client, account, "wrong"); wait != 0 {
			f.t.Fatalf("attempt %d of %s for %s must wait for %s", i+1, client, account, wait)
		}
	}
}

// waits makes an attempt and expects it to wait for the given time.
func (f *fixture) waits(want time.Duration, client, account, secret string) {
	f.t.Helper()
	if got := f.try(client, account, secret); got != want {
		f.t.Errorf("%s for %s waits for %s, want %s", client, account, got, want)
	}
}
