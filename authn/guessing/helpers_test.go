package guessing

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
)

// shelf is a store that lives by the clock of a test's bubble and remembers
// everything.
type shelf struct {
	authn.Store // what is not asked for

	mutex    sync.Mutex
	counters map[authn.Key]counter
	marks    map[authn.Key]authn.Entry
	resets   int
	err      error
}

type counter struct {
	count int
	until time.Time
}

func newShelf() *shelf {
	return &shelf{counters: make(map[authn.Key]counter), marks: make(map[authn.Key]authn.Entry)}
}

func (s *shelf) Count(ctx context.Context, key authn.Key, forget time.Duration) int {
	if ctx.Err() != nil {
		return 0 // as a store that has to be asked over a connection
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	known := s.counters[key]
	if !time.Now().Before(known.until) {
		known.count = 0
	}
	s.counters[key] = counter{count: known.count + 1, until: time.Now().Add(forget)}
	return known.count + 1
}

func (s *shelf) Reset(_ context.Context, key authn.Key) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.resets++
	delete(s.counters, key)
}

func (s *shelf) Publish(_ context.Context, mark authn.Entry) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.marks[mark.Key] = s.marks[mark.Key].Wider(mark)
	return s.err
}

func (s *shelf) Lookup(_ authn.EntryKind, key authn.Key) (authn.Entry, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	mark, found := s.marks[key]
	return mark, found && time.Now().Before(mark.Until)
}

// small are limits that a test reaches soon.
var small = Limits{
	Limit: 3, PerClient: 6, PerAccount: 8,
	Wait: caddy.Duration(30 * time.Second), MaxWait: caddy.Duration(4 * time.Minute), Forget: caddy.Duration(time.Hour),
}

// fixture is a limiter with what it stands on.
type fixture struct {
	*Limiter
	shelf *shelf
	t     *testing.T
}

// begin makes a limiter; in a bubble it has to be the first thing there.
func begin(t *testing.T, limits Limits) *fixture {
	t.Helper()
	memory, store := NewMemory(), newShelf()
	t.Cleanup(func() { _ = memory.Destruct() })
	return &fixture{Limiter: New(limits, store, memory, zap.NewNop()), shelf: store, t: t}
}

// attemptOf is an attempt of a client for an account.
func attemptOf(client, account, credential string) Attempt {
	return Attempt{Address: client, Credential: credential, Who: func() Who { return Who{Client: client, Account: account} }}
}

// password is the good one of every account in the tests.
const password = "good"

// try makes an attempt and returns how it was answered: 0 if it was judged,
// else how long it has to wait.
func (f *fixture) try(client, account, secret string) time.Duration {
	f.t.Helper()
	attempt := attemptOf(client, account, account+":"+secret)
	judged := false
	refusal, refused := f.Judge(f.t.Context(), attempt, func() Verdict {
		judged = true
		if secret == password {
			return Good
		}
		return Wrong
	})
	switch {
	case judged == refused:
		f.t.Fatalf("judged %t and refused %t", judged, refused)
	case refused && (refusal.Code != authn.CodeTooManyAttempts || refusal.Reason == nil || refusal.Verdict != authn.Rejected || refusal.RetryAfter <= 0):
		f.t.Fatalf("refused with %+v", refusal)
	}
	return refusal.RetryAfter
}

// judged makes attempts with a wrong password, all of which have to be judged.
func (f *fixture) judged(times int, client, account string) {
	f.t.Helper()
	for i := range times {
		if wait := f.try(client, account, "wrong"); wait != 0 {
			f.t.Fatalf("attempt %d of %s for %s has to wait for %s", i+1, client, account, wait)
		}
	}
}

// waits fails unless an attempt with this password has to wait for so long.
func (f *fixture) waits(want time.Duration, client, account, secret string) {
	f.t.Helper()
	if got := f.try(client, account, secret); got != want {
		f.t.Errorf("%s for %s waits for %s, want %s", client, account, got, want)
	}
}
