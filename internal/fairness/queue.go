package fairness

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A login attempt waits in two queues: for other attempts of the same client or
// account, and for a processor that hashes the password. AttemptTimeout exceeds
// HashTimeout and the time of the slowest hash that a configuration may have, ten
// seconds. So requests with one good password are not refused while the first of them
// is verified.
const (
	HashTimeout    = 30 * time.Second
	AttemptTimeout = HashTimeout + 15*time.Second
)

// FairQueue limits how many workers run at once. The others wait in one line for
// each client, and the clients take turns whatever the length of their lines. A
// client with a single request waits for one request of each other client at
// most.
type FairQueue struct {
	workers func() int
	waiting *FairQuota
	mutex   sync.Mutex
	running int
	lines   map[string][]chan struct{}
	order   []string // the clients with a line, the next one first
}

// NewFairQueue returns a queue. The function workers returns how many may run; it
// is asked when one starts or ends. The quota bounds the requests that wait, and
// queues may share it.
func NewFairQueue(workers func() int, waiting *FairQuota) *FairQueue {
	return &FairQueue{workers: workers, waiting: waiting}
}

// Acquire waits until the client may work and reports whether it may. The client
// ends its work with [FairQueue.Release]. Acquire returns false after the timeout,
// when the context ends, and if too many requests wait.
func (q *FairQueue) Acquire(ctx context.Context, client string, timeout time.Duration) bool {
	turn, started := q.enter(client)
	if turn == nil {
		return started
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return !q.leave(client, turn)
}

// enter starts the client, or puts it into its line if that has room: then the
// returned channel is closed when its turn comes.
func (q *FairQueue) enter(client string) (turn chan struct{}, started bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if len(q.order) == 0 && q.running < q.workers() {
		q.running++
		return nil, true
	}
	if !q.waiting.TryAcquire(client) {
		return nil, false
	}
	if q.lines == nil {
		q.lines = make(map[string][]chan struct{})
	}
	if len(q.lines[client]) == 0 {
		q.order = append(q.order, client)
	}
	turn = make(chan struct{})
	q.lines[client] = append(q.lines[client], turn)
	return turn, false
}

// leave takes a request out of the line of its client, and reports whether it
// was still there.
func (q *FairQueue) leave(client string, turn chan struct{}) bool {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	i := slices.Index(q.lines[client], turn)
	if i < 0 {
		return false
	}
	q.lines[client] = slices.Delete(q.lines[client], i, i+1)
	q.waiting.Release(client)
	if len(q.lines[client]) == 0 {
		delete(q.lines, client)
		q.order = slices.DeleteFunc(q.order, func(other string) bool { return other == client })
	}
	return true
}

// Release ends a client's work and starts those that wait.
func (q *FairQueue) Release() {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.running--
	for len(q.order) > 0 && q.running < q.workers() {
		q.startNext()
	}
}

// startNext starts the first request of the next client.
func (q *FairQueue) startNext() {
	client := q.order[0]
	line := q.lines[client]
	q.order = slices.Delete(q.order, 0, 1)
	q.lines[client] = line[1:]
	if len(line) > 1 {
		q.order = append(q.order, client)
	} else {
		delete(q.lines, client)
	}
	q.waiting.Release(client)
	q.running++
	close(line[0])
}
