package guessing

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// bubble runs a test by a clock of its own.
func bubble(t *testing.T, name string, limits Limits, test func(*testing.T, *fixture)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, begin(t, limits)) })
	})
}

func TestPair(t *testing.T) {
	bubble(t, "LEAK-6: who fails too often waits, twice as long each time, up to the longest", small, func(t *testing.T, f *fixture) {
		f.judged(3, "c", "alice")
		for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 4 * time.Minute, 4 * time.Minute} {
			f.waits(wait, "c", "alice", "wrong")
			f.waits(wait, "c", "alice", password) // no oracle
			time.Sleep(wait - time.Second)
			f.waits(time.Second, "c", "alice", password)
			time.Sleep(time.Second)
			f.judged(1, "c", "alice")
		}
	})
	bubble(t, "LEAK-6: waiting adds nothing", small, func(t *testing.T, f *fixture) {
		f.judged(3, "c", "alice")
		for range 1000 {
			f.try("c", "alice", "wrong")
		}
		f.waits(30*time.Second, "c", "alice", "wrong")
		time.Sleep(30 * time.Second)
		f.waits(0, "c", "alice", password)
	})
	bubble(t, "LEAK-6: what is left alone is forgotten", small, func(t *testing.T, f *fixture) {
		f.judged(2, "c", "alice")
		time.Sleep(time.Hour)
		f.judged(2, "c", "alice")
		time.Sleep(59 * time.Minute)
		f.judged(1, "c", "alice")
		f.waits(30*time.Second, "c", "alice", password)
	})
	bubble(t, "LEAK-6: a success begins anew, once in a while", small, func(t *testing.T, f *fixture) {
		f.judged(2, "c", "alice")
		f.waits(0, "c", "alice", password)
		f.judged(2, "c", "alice")
		f.waits(0, "c", "alice", password) // this one does not
		spelled := attemptOf("c", "alice", "alice:good, spelled differently")
		f.Judge(t.Context(), spelled, func() Verdict { return Good }) // nor does this one
		f.judged(1, "c", "alice")
		f.waits(30*time.Second, "c", "alice", password)
		time.Sleep(time.Hour)
		f.waits(0, "c", "alice", password)
		f.judged(2, "c", "alice")
	})
	bubble(t, "LEAK-6: a success asks the store for nothing most of the time", small, func(t *testing.T, f *fixture) {
		for range 100 {
			f.waits(0, "c", "alice", password)
		}
		if f.shelf.resets != 1 || len(f.shelf.counters) != 0 {
			t.Errorf("%d resets, %d counters", f.shelf.resets, len(f.shelf.counters))
		}
	})
	bubble(t, "LEAK-6: a key stands for its own account", small, func(t *testing.T, f *fixture) {
		f.judged(3, "c", "")
		f.waits(30*time.Second, "c", "", "wrong")
		f.waits(0, "c", "", "another key")
	})
	bubble(t, "LEAK-6: accounts and keys are told apart", small, func(t *testing.T, f *fixture) {
		f.judged(3, "c", ":wrong")
		f.judged(3, "c", "")
	})
}

func TestClient(t *testing.T) {
	bubble(t, "LEAK-6: who tries one password on many accounts waits for all of them", small, func(t *testing.T, f *fixture) {
		for i := range 6 {
			f.judged(1, "c", fmt.Sprint("account ", i))
		}
		f.waits(30*time.Second, "c", "account 7", password)
		f.waits(30*time.Second, "c", "account 0", password)
		f.waits(0, "another", "account 0", password)
		time.Sleep(30 * time.Second)
		f.judged(1, "c", "account 8")
		f.waits(time.Minute, "c", "account 9", "wrong")
	})
	bubble(t, "LEAK-6: an account of one's own does not help to try others", small, func(t *testing.T, f *fixture) {
		for i := range 6 {
			f.judged(1, "c", fmt.Sprint("account ", i))
			f.waits(0, "c", "mallory", password)
			time.Sleep(30 * time.Second)
		}
		f.judged(1, "c", "account 6")
		f.waits(0, "c", "mallory", password)
		f.waits(time.Minute, "c", "account 7", "wrong")
	})
	bubble(t, "LEAK-6: who shares an address with a guesser goes on if they were let in before", small, func(t *testing.T, f *fixture) {
		f.waits(0, "c", "alice", password)
		f.waits(0, "c", "", password) // a key
		time.Sleep(6 * 24 * time.Hour)
		for i := range 6 {
			f.judged(1, "c", fmt.Sprint("account ", i))
		}
		f.waits(0, "c", "alice", password)
		f.waits(0, "c", "", password)
		f.waits(30*time.Second, "c", "bob", password)
		f.judged(3, "c", "alice")
		f.waits(30*time.Second, "c", "alice", password) // their own limit holds
	})
	bubble(t, "LEAK-6: for seven days", small, func(t *testing.T, f *fixture) {
		f.waits(0, "c", "alice", password)
		time.Sleep(belongFor + time.Minute)
		for i := range 6 {
			f.judged(1, "c", fmt.Sprint("account ", i))
		}
		f.waits(30*time.Second, "c", "alice", password)
	})
	bubble(t, "LEAK-6: honest failures do not add up for ever", small, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.judged(1, "c", fmt.Sprint("account ", i))
			f.judged(1, "c", fmt.Sprint("another ", i))
			time.Sleep(30 * time.Minute) // four within an hour
		}
	})
	bubble(t, "LEAK-6: who are not known do not wait for each other", small, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.judged(1, "", fmt.Sprint("account ", i))
		}
		f.waits(0, "", "bob", password) // which is not remembered of nobody
		f.judged(8, "", "alice")
		f.waits(30*time.Second, "", "alice", password)
	})
}

func TestAccount(t *testing.T) {
	bubble(t, "LEAK-6: many clients together have more tries, and then wait too", small, func(t *testing.T, f *fixture) {
		for i := range 8 {
			f.judged(1, fmt.Sprint("client ", i), "alice")
		}
		f.waits(30*time.Second, "client 9", "alice", password)
		f.waits(0, "client 9", "bob", password)
		time.Sleep(30 * time.Second)
		f.judged(1, "client 10", "alice")
		f.waits(time.Minute, "client 11", "alice", "wrong")
	})
	bubble(t, "LEAK-6: nobody is locked out by others, from elsewhere", small, func(t *testing.T, f *fixture) {
		f.waits(0, "home", "alice", password)
		for round := range 50 {
			for i := range 10 {
				f.try(fmt.Sprint("client ", round, i), "alice", "wrong")
			}
			f.waits(0, "home", "alice", password)
			time.Sleep(time.Minute)
		}
		f.waits(0, "home", "alice", "mistyped")
		f.waits(0, "home", "alice", password)
	})
	bubble(t, "LEAK-6: keys have no account for which all would wait", small, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.judged(1, fmt.Sprint("client ", i), "")
		}
	})
	bubble(t, "LEAK-6: a success does not give the others more tries", small, func(t *testing.T, f *fixture) {
		for i := range 8 {
			f.waits(0, fmt.Sprint("home ", i), "alice", password)
			f.judged(1, fmt.Sprint("client ", i), "alice")
		}
		f.waits(30*time.Second, "client 9", "alice", "wrong")
	})
}

func TestNotCounted(t *testing.T) {
	bubble(t, "R7617-6: a password that is good elsewhere is no guess", small, func(t *testing.T, f *fixture) {
		realm := func(verdict Verdict) (refused bool) {
			attempt := attemptOf("c", "alice", "alice:good")
			_, refused = f.Judge(t.Context(), attempt, func() Verdict { return verdict })
			return refused
		}
		realm(Good)
		for range 100 {
			if realm(Wrong) {
				t.Fatal("it has to wait")
			}
		}
		if len(f.shelf.counters) != 0 {
			t.Errorf("%d counters", len(f.shelf.counters))
		}
		time.Sleep(2 * time.Hour)
		for range 3 {
			realm(Wrong)
		}
		if !realm(Wrong) {
			t.Error("it is good for ever")
		}
	})
	bubble(t, "LEAK-6: what cannot be judged is not counted", small, func(t *testing.T, f *fixture) {
		for range 100 {
			if _, refused := f.Judge(t.Context(), attemptOf("c", "alice", ""), func() Verdict { return Neither }); refused {
				t.Fatal("it has to wait")
			}
		}
	})
}

func TestHangingUp(t *testing.T) {
	bubble(t, "LEAK-6: who hangs up before the answer is counted all the same", small, func(t *testing.T, f *fixture) {
		gone, hangUp := context.WithCancel(t.Context())
		hangUp()
		for range 3 {
			f.Judge(gone, attemptOf("c", "alice", "wrong"), func() Verdict { return Wrong })
		}
		f.waits(30*time.Second, "c", "alice", password)
	})
}

func TestAnnounceFails(t *testing.T) {
	bubble(t, "LEAK-6: a block that others may not hear of is logged without a name", small, func(t *testing.T, f *fixture) {
		core, logged := observer.New(zap.DebugLevel)
		f.logger, f.shelf.err = zap.New(core), errors.New("out of reach")
		f.judged(3, "c", "hunter2")
		if logged.Len() != 1 || logged.All()[0].Level != zap.WarnLevel || fmt.Sprint(logged.All()) == "" {
			t.Fatalf("logged %+v", logged.All())
		}
		f.waits(30*time.Second, "c", "hunter2", password)
	})
}
