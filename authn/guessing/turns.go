package guessing

import (
	"context"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/fairness"
)

const (
	// turnFor bounds how long an attempt waits for its turn.
	turnFor = 10 * time.Second
	// lineAtMost bounds how many attempts wait, of one client half of them. Who
	// comes with one attempt at a time never waits.
	lineAtMost = 4096
)

// turns let one attempt after the other pass. There are as many entries as
// there are requests at once, and no more.
type turns struct {
	places *fairness.Shares // to wait
	mutex  sync.Mutex
	taken  map[authn.Key]*turn
}

type turn struct {
	one   chan struct{} // full while it is somebody's turn
	users int
}

func newTurns() *turns {
	return &turns{places: fairness.NewShares(lineAtMost), taken: make(map[authn.Key]*turn)}
}

// take waits for a turn; done ends it. It is false if that takes too long, if
// too many wait already, and for a client that goes away: it has learned
// nothing, and would keep its place from others.
func (t *turns) take(ctx context.Context, key authn.Key, client string) (done func(), free bool) {
	current := t.enter(key)
	if !t.wait(ctx, current, client) {
		t.leave(key, current)
		return nil, false
	}
	return func() {
		<-current.one
		t.leave(key, current)
	}, true
}

func (t *turns) wait(ctx context.Context, current *turn, client string) bool {
	select {
	case current.one <- struct{}{}:
		return true
	default:
	}
	if !t.places.Take(client) {
		return false
	}
	defer t.places.Give(client)
	timer := time.NewTimer(turnFor)
	defer timer.Stop()
	select {
	case current.one <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (t *turns) enter(key authn.Key) *turn {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	current := t.taken[key]
	if current == nil {
		current = &turn{one: make(chan struct{}, 1)}
		t.taken[key] = current
	}
	current.users++
	return current
}

func (t *turns) leave(key authn.Key, current *turn) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if current.users--; current.users == 0 {
		delete(t.taken, key)
	}
}
