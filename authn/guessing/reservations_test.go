package guessing

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// atOnce makes attempts at the same time, each of which takes a second to verify,
// and returns how many were verified and how many were refused.
func (f *fixture) atOnce(n int, verdict Verdict, attempt func(i int) Attempt) (verified, refused int) {
	var counts [2]atomic.Int64
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, refused := f.Judge(f.t.Context(), attempt(i), func() Verdict {
				counts[0].Add(1)
				time.Sleep(time.Second)
				return verdict
			})
			if refused {
				counts[1].Add(1)
			}
		})
	}
	all.Wait()
	return int(counts[0].Load()), int(counts[1].Load())
}

func TestAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		before, most int
		attempt      func(i int) Attempt
	}{
		"COUNT-1: one client for many accounts":         {0, small.PerClient, func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "wrong") }},
		"COUNT-1: many clients for one account":         {0, small.PerAccount, func(i int) Attempt { return attemptOf(fmt.Sprint("c", i), "a", "wrong") }},
		"COUNT-1: many keys of one client":              {0, small.PerClient, func(i int) Attempt { return attemptOf("c", "", fmt.Sprint("k", i)) }},
		"COUNT-1: one key of one client":                {0, small.Limit, func(int) Attempt { return attemptOf("c", "", "k") }},
		"COUNT-1: what failed one by one before counts": {2, small.PerClient - 2, func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "wrong") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := begin(t, small)
				for i := range test.before {
					f.atOnce(1, Wrong, func(int) Attempt { return test.attempt(1000 + i) })
				}
				if verified, refused := f.atOnce(50, Wrong, test.attempt); verified > test.most || verified == 0 || verified+refused != 50 {
					t.Errorf("%d verified and %d refused, want %d verified at most", verified, refused, test.most)
				}
			})
		})
	}
	t.Run("COUNT-1: a wait that is over allows one attempt, however many come", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := begin(t, small)
			guess := func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "wrong") }
			f.atOnce(50, Wrong, guess)
			time.Sleep(time.Duration(small.Wait) + time.Second)
			if verified, _ := f.atOnce(50, Wrong, guess); verified != 1 {
				t.Errorf("%d verified", verified)
			}
		})
	})
	t.Run("COUNT-1: a good key that comes many times at once is never refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := begin(t, small)
			if verified, refused := f.atOnce(100, Good, func(int) Attempt { return attemptOf("c", "", "good") }); verified != 100 || refused != 0 {
				t.Errorf("%d verified and %d refused", verified, refused)
			}
		})
	})
	t.Run("COUNT-1: good passwords of one address wait for each other and are not refused", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			f := begin(t, small)
			if verified, refused := f.atOnce(30, Good, func(i int) Attempt { return attemptOf("c", fmt.Sprint("a", i), "good") }); verified != 30 || refused != 0 {
				t.Errorf("%d verified and %d refused", verified, refused)
			}
			if left := len(f.reservations.counts); left != 0 {
				t.Errorf("%d reservations are left", left)
			}
		})
	})
}
