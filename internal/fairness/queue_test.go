package fairness

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// journal records the clients in the order in which they worked.
type journal struct {
	mutex   sync.Mutex
	clients []string
}

func (j *journal) add(client string) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.clients = append(j.clients, client)
}

func (j *journal) String() string {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return strings.Join(j.clients, " ")
}

// enqueue starts one client each millisecond, so that no two of them end at the
// same time. Each works for a second. A client that is refused is recorded with
// a minus sign.
func (j *journal) enqueue(q *FairQueue, clients ...string) {
	for _, client := range clients {
		go func() {
			if !q.Acquire(context.Background(), client, time.Minute) {
				j.add("-" + client)
				return
			}
			defer q.Release()
			j.add(client)
			time.Sleep(time.Second) // the clock of the bubble
		}()
		time.Sleep(time.Millisecond)
	}
}

func newQueue(workers, waiting int) *FairQueue {
	return NewFairQueue(func() int { return workers }, NewFairQuota(waiting))
}

func TestFairQueue(t *testing.T) {
	for name, c := range map[string]struct {
		workers, waiting int
		arrive, want     string
	}{
		"clients take turns": {1, 20, "a a a a b b c", "a a b c a b a"},
		"two at once":        {2, 20, "a a a a b", "a a a b a"},
		"a single client may fill half of the room": {1, 8, "a a a a a a b", "a -a a b a a a"},
		"a client arrives after its line emptied":   {1, 8, "a b a", "a b a"},
		"no room to wait":                           {1, 0, "a b", "a -b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				queue, log := newQueue(c.workers, c.waiting), new(journal)
				log.enqueue(queue, strings.Fields(c.arrive)...)
				time.Sleep(time.Hour)
				if got := log.String(); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				queue.mustBeIdle(t, c.workers, c.waiting)
			})
		})
	}
	t.Run("a request that times out leaves, and the next one is served", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			queue, log := newQueue(1, 20), new(journal)
			if !queue.Acquire(t.Context(), "worker", 0) {
				t.Fatal("no worker is free")
			}
			for _, client := range []string{"a", "a", "b"} {
				go func() { log.add(fmt.Sprintf("%s %t", client, queue.Acquire(t.Context(), client, time.Second))) }()
				synctest.Wait()
			}
			time.Sleep(2 * time.Second)
			log.enqueue(queue, "c")
			queue.Release()
			time.Sleep(time.Hour)
			if got := log.String(); strings.Count(got, " false") != 3 || !strings.HasSuffix(got, " c") {
				t.Error(got)
			}
			queue.mustBeIdle(t, 1, 20)
		})
	})
	t.Run("a request whose context ends leaves", func(t *testing.T) {
		queue := newQueue(1, 20)
		queue.Acquire(t.Context(), "a", 0)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if queue.Acquire(ctx, "b", time.Hour) {
			t.Error("it was started")
		}
		queue.Release()
		queue.mustBeIdle(t, 1, 20)
	})
	t.Run("more room starts as many requests", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			room := 1
			queue := NewFairQueue(func() int { return room }, NewFairQuota(20))
			queue.Acquire(t.Context(), "a", 0)
			started := make(chan bool, 3)
			for range 3 {
				go func() { started <- queue.Acquire(t.Context(), "a", time.Hour) }()
			}
			synctest.Wait()
			room = 2
			queue.Release()
			synctest.Wait()
			if len(started) != 2 || queue.running != 2 {
				t.Errorf("%d started, %d running", len(started), queue.running)
			}
			queue.Release()
			queue.Release()
			queue.Release()
			synctest.Wait()
			queue.mustBeIdle(t, 2, 20)
		})
	})
	t.Run("a turn that comes at the timeout is taken or passed on", func(t *testing.T) {
		queue := newQueue(1, 1000)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				if queue.Acquire(t.Context(), fmt.Sprint(i%7), time.Duration(i)*10*time.Microsecond) {
					time.Sleep(20 * time.Microsecond)
					queue.Release()
				}
			})
		}
		all.Wait()
		queue.mustBeIdle(t, 1, 1000)
	})
}

func (q *FairQueue) mustBeIdle(t testing.TB, workers, waiting int) {
	t.Helper()
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.running != 0 || q.workers() != workers || q.waiting.free != waiting || len(q.waiting.byClient)+len(q.lines)+len(q.order) != 0 {
		t.Errorf("%d running, %d may wait, lines %v, order %v", q.running, q.waiting.free, q.lines, q.order)
	}
}
