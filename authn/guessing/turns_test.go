package guessing

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurns(t *testing.T) {
	bubble(t, "LEAK-6: attempts that are made at once are no more than those made one by one", small, func(t *testing.T, f *fixture) {
		judged, waiting := 0, make(chan bool)
		for i := range 500 {
			go func() {
				attempt := attemptOf("c", "alice", fmt.Sprint("alice:", i))
				_, refused := f.Judge(t.Context(), attempt, func() Verdict {
					time.Sleep(time.Second) // a hash
					return Wrong
				})
				waiting <- refused
			}()
		}
		for range 500 {
			if !<-waiting {
				judged++
			}
		}
		if judged != 3 || len(f.turns.taken) != 0 {
			t.Errorf("%d were judged, %d turns are left", judged, len(f.turns.taken))
		}
	})
	bubble(t, "LEAK-6: who was let in a while ago does not stand in line", small, func(t *testing.T, f *fixture) {
		f.waits(0, "c", "alice", password)
		go f.Judge(t.Context(), attemptOf("c", "alice", "alice:slow"), func() Verdict {
			time.Sleep(5 * time.Second)
			return Neither
		})
		synctest.Wait()
		before := time.Now()
		f.waits(0, "c", "alice", password)
		if took := time.Since(before); took != 0 {
			t.Errorf("it took %s", took)
		}
		time.Sleep(5 * time.Second)
	})
	bubble(t, "LEAK-6: nobody waits in line for long", small, func(t *testing.T, f *fixture) {
		attempt := attemptOf("c", "alice", "")
		slow := func() Verdict { time.Sleep(time.Minute); return Neither }
		go f.Judge(t.Context(), attempt, slow)
		synctest.Wait()
		refusal, refused := f.Judge(t.Context(), attempt, slow)
		if !refused || refusal.Code.Status() != 503 || refusal.RetryAfter <= 0 || !errors.Is(refusal.Reason, errBusy) {
			t.Errorf("refused %t: %+v", refused, refusal)
		}
		time.Sleep(time.Minute)
	})
	bubble(t, "LEAK-6: only so many stand in line, and one client leaves room for others", small, func(t *testing.T, f *fixture) {
		stand := func(client string, many int) (turnedAway *atomic.Int64) {
			turnedAway = new(atomic.Int64)
			for range many {
				go func() {
					slow := func() Verdict { time.Sleep(time.Second); return Neither }
					if _, refused := f.Judge(t.Context(), attemptOf(client, "alice", ""), slow); refused {
						turnedAway.Add(1)
					}
				}()
			}
			synctest.Wait()
			return turnedAway
		}
		one, two := stand("c", 1+lineAtMost).Load(), stand("another", 1+lineAtMost/2).Load()
		if one != lineAtMost/2 || two != lineAtMost/4 {
			t.Errorf("%d and %d are turned away", one, two)
		}
		time.Sleep(time.Minute)
		if lost := stand("c", 1+lineAtMost/2).Load(); lost != 0 {
			t.Errorf("%d places are not free again", lost)
		}
		time.Sleep(time.Minute)
	})
	bubble(t, "LEAK-6: who hangs up leaves the line, and is not judged", small, func(t *testing.T, f *fixture) {
		go f.Judge(t.Context(), attemptOf("c", "alice", ""), func() Verdict { time.Sleep(time.Second); return Neither })
		synctest.Wait()
		gone, hangUp := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, hangUp)
		before := time.Now()
		_, refused := f.Judge(gone, attemptOf("c", "alice", "alice:1"), func() Verdict { t.Error("it is judged"); return Wrong })
		if took := time.Since(before); !refused || took != time.Millisecond {
			t.Errorf("refused %t after %s", refused, took)
		}
		time.Sleep(time.Second)
	})
	bubble(t, "O-2: a panic ends a turn", small, func(t *testing.T, f *fixture) {
		func() {
			defer func() { _ = recover() }()
			f.Judge(t.Context(), attemptOf("c", "alice", ""), func() Verdict { panic("a scheme") })
		}()
		f.waits(0, "c", "alice", password)
	})
}
