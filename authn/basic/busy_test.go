package basic

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/fairness"
)

// crowd has n callers try at once and returns their outcomes, which can be
// read once wait has returned.
func crowd(b *Basic, n int, pair func(int) string) (outcomes []authn.Outcome, wait func()) {
	outcomes = make([]authn.Outcome, n)
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { outcomes[i] = try(b, pair(i)) })
	}
	return outcomes, group.Wait
}

func TestConcurrency(t *testing.T) {
	t.Run("LEAK-2: one password that is tried by many at once is computed once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			alone(t, 4)
			c := &counting{password: "secret", gate: make(chan struct{})}
			outcomes, wait := crowd(users(t, c, "alice"), 500, func(int) string { return "alice:secret" })
			synctest.Wait()
			if n := c.calls.Load(); n != 1 {
				t.Errorf("%d computations", n)
			}
			close(c.gate)
			wait()
			for i, outcome := range outcomes {
				if outcome.Verdict != authn.Accepted || outcome.Identity.ID != "alice" {
					t.Fatalf("caller %d: %+v", i, outcome)
				}
			}
		})
	})
	t.Run("LEAK-2: a wrong password tried by many at once lets none of them in", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			alone(t, 1)
			c := &counting{password: "secret", gate: make(chan struct{})}
			outcomes, wait := crowd(users(t, c, "alice"), 50, func(int) string { return "alice:wrong" })
			synctest.Wait()
			close(c.gate)
			wait()
			for i, outcome := range outcomes {
				if outcome.Verdict == authn.Accepted {
					t.Fatalf("caller %d: %+v", i, outcome)
				}
			}
		})
	})
}

func TestBusy(t *testing.T) {
	different := func(i int) string { return fmt.Sprintf("alice:wrong-%d", i) }
	t.Run("R7617-5: no more passwords are hashed at once than there are slots", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			alone(t, 3)
			c := &counting{gate: make(chan struct{})}
			_, wait := crowd(users(t, c, "alice"), 60, different)
			synctest.Wait()
			if n := c.now.Load(); n != 3 {
				t.Errorf("%d at once", n)
			}
			close(c.gate)
			wait()
			if c.most.Load() != 3 || c.calls.Load() != 60 {
				t.Errorf("%d at once, %d in all", c.most.Load(), c.calls.Load())
			}
		})
	})
	t.Run("R7617-5: who comes when enough are waiting is asked to come again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			alone(t, 2)
			c := &counting{password: "secret", gate: make(chan struct{})}
			b := users(t, c, "alice")
			waiting, wait := crowd(b, 2+maxWaiting/2, different)
			synctest.Wait()
			for _, pair := range []string{"alice:secret", "alice:wrong", "mallory:wrong", "no colon"} {
				outcome := try(b, pair)
				if outcome.Verdict != authn.TemporarilyUnavailable || outcome.Code != authn.CodeUnavailable || outcome.RetryAfter <= 0 || outcome.Identity != nil {
					t.Errorf("%q: %+v", pair, outcome)
				}
				if outcome.Code.Status() != 503 || b.Challenges(authn.ChallengeParams{Code: outcome.Code, Realm: "api"}) != nil {
					t.Errorf("%q: status %d, challenges %v", pair, outcome.Code.Status(), b.Challenges(authn.ChallengeParams{Code: outcome.Code}))
				}
			}
			close(c.gate)
			wait()
			for i, outcome := range waiting {
				if outcome.Code != authn.CodeInvalidCredentials {
					t.Fatalf("caller %d: %+v", i, outcome)
				}
			}
			if outcome := try(b, "alice:secret"); outcome.Verdict != authn.Accepted {
				t.Errorf("afterwards: %+v", outcome)
			}
		})
	})
	t.Run("R7617-5: who waited long enough is asked to come again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := alone(t, 1)
			c := &counting{password: "secret"}
			b := users(t, c, "alice")
			if !h.queue.Acquire(t.Context(), "somebody", 0) { // and does not come to an end
				t.Fatal("another hash runs already")
			}
			var done atomic.Bool
			outcomes, wait := crowd(b, 1, func(int) string { return "alice:secret" })
			go func() { wait(); done.Store(true) }()
			time.Sleep(fairness.HashTimeout - time.Second) // the clock of the bubble
			synctest.Wait()
			if done.Load() {
				t.Fatal("given up early")
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if !done.Load() || outcomes[0].Verdict != authn.TemporarilyUnavailable || c.calls.Load() != 0 {
				t.Fatalf("done %t, outcome %+v, %d computations", done.Load(), outcomes[0], c.calls.Load())
			}
			h.queue.Release()
			if outcome := try(b, "alice:secret"); outcome.Verdict != authn.Accepted {
				t.Errorf("afterwards: %+v", outcome)
			}
		})
	})
	t.Run("LEAK-2: who is remembered comes in however busy it is", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := alone(t, 1)
			c := &counting{password: "secret"}
			b := users(t, c, "alice")
			try(b, "alice:secret")
			h.queue = fairness.NewFairQueue(func() int { return 0 }, fairness.NewFairQuota(0))
			if outcome := try(b, "alice:secret"); outcome.Verdict != authn.Accepted {
				t.Errorf("outcome %+v", outcome)
			}
		})
	})
}
