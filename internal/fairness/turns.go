package fairness

import (
	"slices"
	"sync"
	"time"
)

// Turns let a few work at a time, and the others wait in a line for each client.
// Clients that wait come in turn, whatever the length of their lines, so who
// comes alone waits for one of everybody else at most.
type Turns struct {
	mutex  sync.Mutex
	free   int
	places *Shares // to wait
	lines  map[string][]chan struct{}
	order  []string // the clients that wait, the next one first
}

// NewTurns lets so many work at a time, and so many wait.
func NewTurns(atOnce, waiting int) *Turns {
	return &Turns{free: atOnce, places: NewShares(waiting), lines: make(map[string][]chan struct{})}
}

// Take reports whether it is the client's turn, within a time; then [Turns.Done]
// has to follow. It is not if too many wait already.
func (t *Turns) Take(client string, within time.Duration) bool {
	turn, wait := t.queue(client)
	if !wait {
		return turn != nil
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
		return !t.leave(client, turn)
	}
}

// queue returns what tells the client that it is its turn, and whether that has
// to be waited for; nothing if there is no place to wait.
func (t *Turns) queue(client string) (turn chan struct{}, wait bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	turn = make(chan struct{})
	if t.free > 0 {
		t.free--
		return turn, false
	}
	if !t.places.Take(client) {
		return nil, false
	}
	if len(t.lines[client]) == 0 {
		t.order = append(t.order, client)
	}
	t.lines[client] = append(t.lines[client], turn)
	return turn, true
}

// leave takes a client out of its line, and reports whether it still was there.
func (t *Turns) leave(client string, turn chan struct{}) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	i := slices.Index(t.lines[client], turn)
	if i < 0 {
		return false
	}
	t.lines[client] = slices.Delete(t.lines[client], i, i+1)
	t.places.Give(client)
	if len(t.lines[client]) == 0 {
		delete(t.lines, client)
		t.order = slices.DeleteFunc(t.order, func(other string) bool { return other == client })
	}
	return true
}

// Done ends a turn, and begins the next one.
func (t *Turns) Done() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.order) == 0 {
		t.free++
		return
	}
	client := t.order[0]
	line := t.lines[client]
	t.order = slices.Delete(t.order, 0, 1)
	t.lines[client] = line[1:]
	if len(line) > 1 {
		t.order = append(t.order, client)
	} else {
		delete(t.lines, client)
	}
	t.places.Give(client)
	close(line[0])
}
