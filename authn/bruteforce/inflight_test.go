package bruteforce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/store"
)

// concurrently makes attempts at the same time. Each takes a second to verify. It
// returns how many were verified and how many were refused.
func (f *fixture) concurrently(n int, result Result, attempt func(i int) Attempt) (verified, refused int) {
	var counts [2]atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, refused := f.Allow(f.t.Context(), attempt(i), func() Result {
				counts[0].Add(1)
				time.Sleep(time.Second)
				return result
			})
			if refused {
				counts[1].Add(1)
			}
		})
	}
	all.Wait()
	return int(counts[0].Load()), int(counts[1].Load())
}

func TestConcurrentAttempts(t *testing.T) {
	for name, test := range map[string]struct {
		before, most int
		attempt      func(i int) Attempt
	}{
		"COUNT-1: one client for many accounts": {0, small.PerClient, func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "wrong") }},
		"COUNT-1: many clients for one account": {0, small.PerAccount, func(i int) Attempt { return attemptOf(fmt.Sprint("c", i), "a", "wrong") }},
		"COUNT-1: many keys of one client":      {0, small.PerClient, func(i int) Attempt { return attemptOf("c", "", fmt.Sprint("k", i)) }},
		"COUNT-1: one key of one client":        {0, small.Limit, func(int) Attempt { return attemptOf("c", "", "k") }},
		"COUNT-1: earlier failures count":       {2, small.PerClient - 2, func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "wrong") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFixture(t, small)
				for i := range test.before {
					f.concurrently(1, Failure, func(int) Attempt { return test.attempt(1000 + i) })
				}
				if verified, refused := f.concurrently(50, Failure, test.attempt); verified > test.most || verified == 0 || verified+refused != 50 {
					t.Errorf("%d verified and %d refused, want %d verified at most", verified, refused, test.most)
				}
			})
		})
	}
	t.Run("COUNT-1: the end of a block allows one attempt, however many arrive", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, small)
			guess := func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "wrong") }
			f.concurrently(50, Failure, guess)
			time.Sleep(time.Duration(small.Wait) + time.Second)
			if verified, _ := f.concurrently(50, Failure, guess); verified != 1 {
				t.Errorf("%d verified", verified)
			}
		})
	})
	t.Run("COUNT-1: a good key that arrives many times at once is never refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, small)
			if verified, refused := f.concurrently(100, Success, func(int) Attempt { return attemptOf("c", "", "good") }); verified != 100 || refused != 0 {
				t.Errorf("%d verified and %d refused", verified, refused)
			}
		})
	})
	t.Run("COUNT-1: good passwords of one address wait for each other and are not refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := newFixture(t, small)
			if verified, refused := f.concurrently(30, Success, func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "good") }); verified != 30 || refused != 0 {
				t.Errorf("%d verified and %d refused", verified, refused)
			}
			if remaining := len(f.inFlight.queues); remaining != 0 {
				t.Errorf("%d queues are left", remaining)
			}
		})
	})
}

func TestFailuresInAnotherOrder(t *testing.T) {
	memory, counter := NewMemory(), store.KeyOf("client")
	for _, failures := range []int{1, 5, 3} {
		memory.noteFailures(counter, failures)
	}
	if room := memory.room(counter, 6); room != 1 {
		t.Errorf("COUNT-1: room for %d attempts", room)
	}
	if err := memory.Destruct(); err != nil {
		t.Error(err)
	}
}

func TestWaiting(t *testing.T) {
	bubble(t, "LEAK-6: concurrent attempts are no more than sequential ones", small, func(t *testing.T, f *fixture) {
		verified, waiting := 0, make(chan bool)
		for i := range 500 {
			go func() {
				attempt := attemptOf("c", "alice", fmt.Sprint("alice:", i))
				_, refused := f.Allow(t.Context(), attempt, func() Result {
					time.Sleep(time.Second) // a hash
					return Failure
				})
				waiting <- refused
			}()
		}
		for range 500 {
			if !<-waiting {
				verified++
			}
		}
		if verified != 3 || len(f.inFlight.queues) != 0 {
			t.Errorf("%d were verified, %d queues are left", verified, len(f.inFlight.queues))
		}
	})
	bubble(t, "LEAK-6: a credential that succeeded recently does not wait", small, func(t *testing.T, f *fixture) {
		f.waits(0, "c", "alice", password)
		go f.Allow(t.Context(), attemptOf("c", "alice", "alice:slow"), func() Result {
			time.Sleep(5 * time.Second)
			return Ignored
		})
		synctest.Wait()
		before := time.Now()
		f.waits(0, "c", "alice", password)
		if waited := time.Since(before); waited != 0 {
			t.Errorf("it took %s", waited)
		}
		time.Sleep(5 * time.Second)
	})
	bubble(t, "LEAK-6: no attempt waits for long", small, func(t *testing.T, f *fixture) {
		attempt := attemptOf("c", "alice", "")
		slow := func() Result { time.Sleep(time.Minute); return Ignored }
		go f.Allow(t.Context(), attempt, slow)
		synctest.Wait()
		refusal, refused := f.Allow(t.Context(), attempt, slow)
		if !refused || refusal.Code.Status() != 503 || refusal.RetryAfter <= 0 || !errors.Is(refusal.Reason, errBusy) {
			t.Errorf("refused %t: %+v", refused, refusal)
		}
		time.Sleep(time.Minute)
	})
	bubble(t, "LEAK-6: requests with one good password wait as long as its hash may take", small, func(t *testing.T, f *fixture) {
		slowest := fairness.HashTimeout + 10*time.Second // the queue and the slowest hash
		attempt := attemptOf("c", "alice", "alice:good")
		var hash sync.Once // the others get its result
		var requests sync.WaitGroup
		for range 5 {
			requests.Go(func() {
				_, refused := f.Allow(t.Context(), attempt, func() Result {
					hash.Do(func() { time.Sleep(slowest) })
					return Success
				})
				if refused {
					t.Error("refused")
				}
			})
			synctest.Wait()
		}
		requests.Wait()
	})
	bubble(t, "LEAK-6: the number of waiting attempts is bounded, and one client leaves room for others", small, func(t *testing.T, f *fixture) {
		enqueue := func(client string, many int) (turnedAway *atomic.Int64) {
			turnedAway = new(atomic.Int64)
			for range many {
				go func() {
					slow := func() Result { time.Sleep(time.Second); return Ignored }
					if _, refused := f.Allow(t.Context(), attemptOf(client, "alice", ""), slow); refused {
						turnedAway.Add(1)
					}
				}()
			}
			synctest.Wait()
			return turnedAway
		}
		one, two := enqueue("c", 1+maxWaiting).Load(), enqueue("another", 1+maxWaiting/2).Load()
		if one != maxWaiting/2 || two != maxWaiting/4 {
			t.Errorf("%d and %d are turned away", one, two)
		}
		time.Sleep(time.Minute)
		if lost := enqueue("c", 1+maxWaiting/2).Load(); lost != 0 {
			t.Errorf("%d slots are not free again", lost)
		}
		time.Sleep(time.Minute)
	})
	bubble(t, "LEAK-6: a client that hangs up leaves the queue and is not verified", small, func(t *testing.T, f *fixture) {
		go f.Allow(t.Context(), attemptOf("c", "alice", ""), func() Result { time.Sleep(time.Second); return Ignored })
		synctest.Wait()
		canceled, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, hangUp)
		before := time.Now()
		_, refused := f.Allow(canceled, attemptOf("c", "alice", "alice:1"), func() Result { t.Error("it is verified"); return Failure })
		if waited := time.Since(before); !refused || waited != time.Millisecond {
			t.Errorf("refused %t after %s", refused, waited)
		}
		time.Sleep(time.Second)
	})
	bubble(t, "O-2: a panic ends an attempt", small, func(t *testing.T, f *fixture) {
		func() {
			defer func() { _ = recover() }()
			f.Allow(t.Context(), attemptOf("c", "alice", ""), func() Result { panic("a scheme") })
		}()
		f.waits(0, "c", "alice", password)
	})
}
