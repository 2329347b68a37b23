package guessing

import (
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// turnFor bounds how long an attempt waits for its turn.
const turnFor = 10 * time.Second

// turns let one attempt after the other pass. There are as many entries as
// there are requests at once, and no more.
type turns struct {
	mutex sync.Mutex
	taken map[authn.Key]*turn
}

type turn struct {
	one   chan struct{} // full while it is somebody's turn
	users int
}

// take waits for a turn; done ends it. It is false if that takes too long.
func (t *turns) take(key authn.Key) (done func(), free bool) {
	current := t.enter(key)
	timer := time.NewTimer(turnFor)
	defer timer.Stop()
	select {
	case current.one <- struct{}{}:
	case <-timer.C:
		t.leave(key, current)
		return nil, false
	}
	return func() {
		<-current.one
		t.leave(key, current)
	}, true
}

func (t *turns) enter(key authn.Key) *turn {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	current := t.taken[key]
	if current == nil {
		current = &turn{one: make(chan struct{}, 1)}
		if t.taken == nil {
			t.taken = make(map[authn.Key]*turn)
		}
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
