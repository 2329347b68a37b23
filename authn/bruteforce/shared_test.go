package bruteforce

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/memory"
)

func TestInstances(t *testing.T) {
	t.Run("LEAK-6: instances that share a store count together", func(t *testing.T) {
		store := memory.New()
		var instances [3]*Guard
		for i := range instances {
			own := NewMemory()
			t.Cleanup(func() { _ = own.Destruct() })
			instances[i] = New(small, store, own, zap.NewNop())
		}
		fail := func(instance *Guard, n int) (refused bool) {
			attempt := attemptOf("c", "alice", fmt.Sprint("alice:", n))
			_, refused = instance.Allow(t.Context(), attempt, func() Result { return Failure })
			return refused
		}
		for i := range 3 {
			if fail(instances[i], i) {
				t.Fatalf("attempt %d must wait", i+1)
			}
		}
		for i, instance := range instances {
			if !fail(instance, i) {
				t.Errorf("instance %d allows it", i)
			}
		}
	})
	t.Run("LEAK-6: instances count each concurrent failure once", func(t *testing.T) {
		store := memory.New()
		limits := small
		limits.Limit, limits.PerClient, limits.PerAccount = 301, 1000, 1000
		own := NewMemory()
		t.Cleanup(func() { _ = own.Destruct() })
		instances := [3]*Guard{}
		for i := range instances {
			instances[i] = New(limits, store, own, zap.NewNop())
		}
		attempt := func(i int) Attempt { return attemptOf("c", "alice", fmt.Sprint(i)) }
		fail := func() Result { return Failure }
		var trying sync.WaitGroup
		for i := range 300 {
			trying.Go(func() {
				if _, refused := instances[i%3].Allow(t.Context(), attempt(i), fail); refused {
					t.Error("refused early")
				}
			})
		}
		trying.Wait()
		if _, refused := instances[0].Allow(t.Context(), attempt(300), fail); refused {
			t.Error("counted twice")
		}
		if _, refused := instances[1].Allow(t.Context(), attempt(301), fail); !refused {
			t.Error("not counted")
		}
	})
}

// forgetful is a store that keeps nothing, so that only the memory of the guard
// is measured.
type forgetful struct{ store.Store }

func (forgetful) Count(context.Context, store.Key, time.Duration) int { return 1 }
func (forgetful) Reset(context.Context, store.Key)                    {}

func (forgetful) Lookup(store.EntryKind, store.Key) (store.Entry, bool) { return store.Entry{}, false }

func TestBounded(t *testing.T) {
	t.Run("LEAK-6: twice as many addresses as pairs fit leave not one byte each in memory", func(t *testing.T) {
		own := NewMemory()
		t.Cleanup(func() { _ = own.Destruct() })
		g := New(small, forgetful{}, own, zap.NewNop())
		guess := func(from, to int) {
			for i := from; i < to; i++ {
				attempt := attemptOf(clientaddress.Network(address(i)), strconv.Itoa(i), "wrong")
				g.Allow(t.Context(), attempt, func() Result { return Failure })
			}
		}
		const filled = 2 * maxFailureCounters
		guess(0, filled)
		before := heap()
		guess(filled, filled+2*maxKnownPairs)
		if after := heap(); after > before+2*maxKnownPairs {
			t.Errorf("%d KB, then %d KB", before>>10, after>>10)
		}
		if len(g.inFlight.queues)+own.knownPairs.EstimatedSize()+own.goodCredentials.EstimatedSize() != 0 {
			t.Errorf("%d queues and %d pairs are left", len(g.inFlight.queues), own.knownPairs.EstimatedSize())
		}
	})
	t.Run("LEAK-6: known pairs and good credentials are bounded", func(t *testing.T) {
		own := NewMemory()
		t.Cleanup(func() { _ = own.Destruct() })
		g := New(small, forgetful{}, own, zap.NewNop())
		for i := range maxKnownPairs + 20_000 {
			attempt := attemptOf(clientaddress.Network(address(i)), "", "good")
			g.Allow(t.Context(), attempt, func() Result { return Success })
		}
		own.knownPairs.CleanUp()
		own.goodCredentials.CleanUp()
		if pairs, good := own.knownPairs.EstimatedSize(), own.goodCredentials.EstimatedSize(); pairs > maxKnownPairs || good > maxGoodCredentials {
			t.Errorf("%d pairs, %d credentials", pairs, good)
		}
	})
}

// address returns an address of another network for each number.
func address(i int) string { return fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff) }

func heap() uint64 {
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

func TestOtherEntries(t *testing.T) {
	t.Run("LEAK-6: a revocation blocks no client", func(t *testing.T) {
		own, shared := NewMemory(), memory.New()
		t.Cleanup(func() { _ = own.Destruct() })
		g := New(small, shared, own, zap.NewNop())
		a := attemptOf("c", "alice", "")
		_ = shared.Publish(t.Context(), store.Entry{Kind: store.EntryRevoked, Key: pairOf(a.Subject(), a.Credential), Until: time.Now().Add(time.Hour)})
		if _, refused := g.Allow(t.Context(), a, func() Result { return Success }); refused {
			t.Error("refused")
		}
	})
}
