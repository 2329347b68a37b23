package bruteforce

import (
	"context"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/store"
)

// maxWaiting bounds how many attempts wait, and one client may fill half of it.
const maxWaiting = 4096

// inFlight limits the attempts in flight of each bound. If all of them fail, the
// limit of the bound is not exceeded. The table has no more entries than there are
// attempts.
type inFlight struct {
	waiting *fairness.FairQuota
	mutex   sync.Mutex
	queues  map[store.Key]*boundQueue
}

// boundQueue is the queue of a bound, and how many attempts use it.
type boundQueue struct {
	*fairness.FairQueue
	users int
}

func newInFlight() *inFlight {
	return &inFlight{waiting: fairness.NewFairQuota(maxWaiting), queues: make(map[store.Key]*boundQueue)}
}

// acquire waits until the bound has room for another attempt, which release ends.
// It returns false after the timeout, if the client hangs up, and if too many
// attempts wait.
func (f *inFlight) acquire(ctx context.Context, client string, key store.Key, timeout time.Duration, room func() int) (release func(), acquired bool) {
	queue := f.join(key, room)
	if !queue.Acquire(ctx, client, timeout) {
		f.leave(key, queue)
		return nil, false
	}
	return func() {
		queue.Release()
		f.leave(key, queue)
	}, true
}

func (f *inFlight) join(key store.Key, room func() int) *boundQueue {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	queue := f.queues[key]
	if queue == nil {
		queue = &boundQueue{FairQueue: fairness.NewFairQueue(room, f.waiting)}
		f.queues[key] = queue
	}
	queue.users++
	return queue
}

func (f *inFlight) leave(key store.Key, queue *boundQueue) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if queue.users--; queue.users == 0 {
		delete(f.queues, key)
	}
}
