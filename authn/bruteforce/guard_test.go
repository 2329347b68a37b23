package bruteforce

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

// bubble runs a test with a fake clock.
func bubble(t *testing.T, name string, limits Limits, test func(*testing.T, *fixture)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, newFixture(t, limits)) })
	})
}

func TestPair(t *testing.T) {
	bubble(t, "LEAK-6: a client that fails too often waits, twice as long each time, up to the longest wait", small, func(t *testing.T, f *fixture) {
		f.fails(3, "c", "alice")
		for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 4 * time.Minute, 4 * time.Minute} {
			f.waits(wait, "c", "alice", "wrong")
			f.waits(wait, "c", "alice", password) // no oracle
			time.Sleep(wait - time.Second)
			f.waits(time.Second, "c", "alice", password)
			time.Sleep(time.Second)
			f.fails(1, "c", "alice")
		}
	})
	bubble(t, "LEAK-6: attempts during a wait do not count", small, func(t *testing.T, f *fixture) {
		f.fails(3, "c", "alice")
		for range 1000 {
			f.try("c", "alice", "wrong")
		}
		f.waits(30*time.Second, "c", "alice", "wrong")
		time.Sleep(30 * time.Second)
		f.waits(0, "c", "alice", password)
	})
	bubble(t, "LEAK-6: failures are forgotten", small, func(t *testing.T, f *fixture) {
		f.fails(2, "c", "alice")
		time.Sleep(time.Hour)
		f.fails(2, "c", "alice")
		time.Sleep(59 * time.Minute)
		f.fails(1, "c", "alice")
		f.waits(30*time.Second, "c", "alice", password)
	})
	soon := small
	soon.Forget /= 3
	bubble(t, "LEAK-6: a success with a remembered password resets the counter, too", soon, func(t *testing.T, f *fixture) {
		f.waits(0, "c", "alice", password)
		time.Sleep(time.Duration(soon.Forget))
		f.fails(2, "c", "alice")
		f.waits(0, "c", "alice", password)
		f.fails(2, "c", "alice")
		f.waits(0, "c", "alice", password)
		if f.store.resets != 2 {
			t.Errorf("%d resets", f.store.resets)
		}
	})
	bubble(t, "LEAK-6: a success resets the counter, once in a while", small, func(t *testing.T, f *fixture) {
		f.fails(2, "c", "alice")
		f.waits(0, "c", "alice", password)
		f.fails(2, "c", "alice")
		f.waits(0, "c", "alice", password) // this one does not
		spelled := attemptOf("c", "alice", "alice:good, spelled differently")
		f.Allow(t.Context(), spelled, func() Result { return Success }) // nor does this one
		f.fails(1, "c", "alice")
		f.waits(30*time.Second, "c", "alice", password)
		time.Sleep(time.Hour)
		f.waits(0, "c", "alice", password)
		f.fails(2, "c", "alice")
	})
	bubble(t, "LEAK-6: a success seldom needs the store", small, func(t *testing.T, f *fixture) {
		for range 100 {
			f.waits(0, "c", "alice", password)
		}
		if f.store.resets != 1 || len(f.store.counters) != 0 {
			t.Errorf("%d resets, %d counters", f.store.resets, len(f.store.counters))
		}
	})
	bubble(t, "LEAK-6: a key is its own account", small, func(t *testing.T, f *fixture) {
		f.fails(3, "c", "")
		f.waits(30*time.Second, "c", "", "wrong")
		f.waits(0, "c", "", "another key")
	})
	bubble(t, "LEAK-6: accounts and keys are separate", small, func(t *testing.T, f *fixture) {
		f.fails(3, "c", ":wrong")
		f.fails(3, "c", "")
	})
}

func TestClient(t *testing.T) {
	bubble(t, "LEAK-6: a client that tries many accounts waits for all of them", small, func(t *testing.T, f *fixture) {
		for i := range 6 {
			f.fails(1, "c", fmt.Sprint("account ", i))
		}
		f.waits(30*time.Second, "c", "account 7", password)
		f.waits(30*time.Second, "c", "account 0", password)
		f.waits(0, "another", "account 0", password)
		time.Sleep(30 * time.Second)
		f.fails(1, "c", "account 8")
		f.waits(time.Minute, "c", "account 9", "wrong")
	})
	bubble(t, "LEAK-6: an own account does not help to guess others", small, func(t *testing.T, f *fixture) {
		for i := range 6 {
			f.fails(1, "c", fmt.Sprint("account ", i))
			f.waits(0, "c", "mallory", password)
			time.Sleep(30 * time.Second)
		}
		f.fails(1, "c", "account 6")
		f.waits(0, "c", "mallory", password)
		f.waits(time.Minute, "c", "account 7", "wrong")
	})
	bubble(t, "LEAK-6: a known pair is not blocked by failures of its address", small, func(t *testing.T, f *fixture) {
		f.waits(0, "c", "alice", password)
		f.waits(0, "c", "", password) // a key
		time.Sleep(6 * 24 * time.Hour)
		for i := range 6 {
			f.fails(1, "c", fmt.Sprint("account ", i))
		}
		f.waits(0, "c", "alice", password)
		f.waits(0, "c", "", password)
		f.waits(30*time.Second, "c", "bob", password)
		f.fails(3, "c", "alice")
		f.waits(30*time.Second, "c", "alice", password) // their own limit holds
	})
	bubble(t, "LEAK-6: a pair is known for seven days", small, func(t *testing.T, f *fixture) {
		f.waits(0, "c", "alice", password)
		time.Sleep(knownPairTTL + time.Minute)
		for i := range 6 {
			f.fails(1, "c", fmt.Sprint("account ", i))
		}
		f.waits(30*time.Second, "c", "alice", password)
	})
	bubble(t, "LEAK-6: honest failures do not add up forever", small, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.fails(1, "c", fmt.Sprint("account ", i))
			f.fails(1, "c", fmt.Sprint("another ", i))
			time.Sleep(30 * time.Minute) // four within an hour
		}
	})
	bubble(t, "LEAK-6: unknown clients do not block each other", small, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.fails(1, "", fmt.Sprint("account ", i))
		}
		f.waits(0, "", "bob", password) // an unknown client makes no pair
		f.fails(8, "", "alice")
		f.waits(30*time.Second, "", "alice", password)
	})
}

func TestAccount(t *testing.T) {
	bubble(t, "LEAK-6: many clients together have more attempts, and then wait too", small, func(t *testing.T, f *fixture) {
		for i := range 8 {
			f.fails(1, fmt.Sprint("client ", i), "alice")
		}
		f.waits(30*time.Second, "client 9", "alice", password)
		f.waits(0, "client 9", "bob", password)
		time.Sleep(30 * time.Second)
		f.fails(1, "client 10", "alice")
		f.waits(time.Minute, "client 11", "alice", "wrong")
	})
	bubble(t, "LEAK-6: other clients cannot lock out a known pair", small, func(t *testing.T, f *fixture) {
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
	bubble(t, "LEAK-6: keys have no account that blocks all clients", small, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.fails(1, fmt.Sprint("client ", i), "")
		}
	})
	bubble(t, "LEAK-6: a success does not allow others more attempts", small, func(t *testing.T, f *fixture) {
		for i := range 8 {
			f.waits(0, fmt.Sprint("home ", i), "alice", password)
			f.fails(1, fmt.Sprint("client ", i), "alice")
		}
		f.waits(30*time.Second, "client 9", "alice", "wrong")
	})
}

func TestNotCounted(t *testing.T) {
	bubble(t, "R7617-6: a password of another realm is not a guess", small, func(t *testing.T, f *fixture) {
		realm := func(result Result) (refused bool) {
			attempt := attemptOf("c", "alice", "alice:good")
			_, refused = f.Allow(t.Context(), attempt, func() Result { return result })
			return refused
		}
		realm(Success)
		for range 100 {
			if realm(Failure) {
				t.Fatal("it must wait")
			}
		}
		if len(f.store.counters) != 0 {
			t.Errorf("%d counters", len(f.store.counters))
		}
		time.Sleep(2 * time.Hour)
		for range 3 {
			realm(Failure)
		}
		if !realm(Failure) {
			t.Error("it is good forever")
		}
	})
	bubble(t, "LEAK-6: an attempt that cannot be verified is not counted", small, func(t *testing.T, f *fixture) {
		for range 100 {
			if _, refused := f.Allow(t.Context(), attemptOf("c", "alice", ""), func() Result { return Ignored }); refused {
				t.Fatal("it must wait")
			}
		}
	})
}

func TestHangUp(t *testing.T) {
	bubble(t, "LEAK-6: a client that hangs up before the answer is counted", small, func(t *testing.T, f *fixture) {
		canceled, hangUp := context.WithCancel(t.Context())
		hangUp()
		for range 3 {
			f.Allow(canceled, attemptOf("c", "alice", "wrong"), func() Result { return Failure })
		}
		f.waits(30*time.Second, "c", "alice", password)
	})
}

func TestPublishFails(t *testing.T) {
	bubble(t, "LEAK-6: a block that other instances may not receive is logged without a name", small, func(t *testing.T, f *fixture) {
		core, logged := observer.New(zap.DebugLevel)
		f.logger, f.store.err = zap.New(core), errors.New("out of reach")
		f.fails(3, "c", "hunter2")
		if logged.Len() != 1 || logged.All()[0].Level != zap.WarnLevel || fmt.Sprint(logged.All()) == "" {
			t.Fatalf("logged %+v", logged.All())
		}
		f.waits(30*time.Second, "c", "hunter2", password)
	})
}
