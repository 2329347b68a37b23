package guessing

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/store/memory"
)

func TestInstances(t *testing.T) {
	t.Run("LEAK-6: instances that share a store count together", func(t *testing.T) {
		store := memory.New()
		var instances [3]*Limiter
		for i := range instances {
			own := NewMemory()
			t.Cleanup(func() { _ = own.Destruct() })
			instances[i] = New(small, store, own, zap.NewNop())
		}
		wrong := func(instance *Limiter, n int) (refused bool) {
			attempt := attemptOf("c", "alice", fmt.Sprint("alice:", n))
			_, refused = instance.Judge(t.Context(), attempt, func() Verdict { return Wrong })
			return refused
		}
		for i := range 3 {
			if wrong(instances[i], i) {
				t.Fatalf("attempt %d has to wait", i+1)
			}
		}
		for i, instance := range instances {
			if !wrong(instance, i) {
				t.Errorf("instance %d lets it go on", i)
			}
		}
	})
	t.Run("LEAK-6: instances do not count what happens at once twice or not at all", func(t *testing.T) {
		store := memory.New()
		limits := small
		limits.Limit, limits.PerClient, limits.PerAccount = 301, 1000, 1000
		own := NewMemory()
		t.Cleanup(func() { _ = own.Destruct() })
		instances := [3]*Limiter{}
		for i := range instances {
			instances[i] = New(limits, store, own, zap.NewNop())
		}
		attempt := func(i int) Attempt { return attemptOf("c", "alice", fmt.Sprint(i)) }
		wrong := func() Verdict { return Wrong }
		var trying sync.WaitGroup
		for i := range 300 {
			trying.Go(func() {
				if _, refused := instances[i%3].Judge(t.Context(), attempt(i), wrong); refused {
					t.Error("refused early")
				}
			})
		}
		trying.Wait()
		if _, refused := instances[0].Judge(t.Context(), attempt(300), wrong); refused {
			t.Error("counted twice")
		}
		if _, refused := instances[1].Judge(t.Context(), attempt(301), wrong); !refused {
			t.Error("not counted")
		}
	})
}

// forgetful is a store that keeps nothing, so that only the limiter is looked
// at: how much stores keep is their own test.
type forgetful struct{ authn.Store }

func (forgetful) Count(context.Context, authn.Key, time.Duration) int { return 1 }
func (forgetful) Reset(context.Context, authn.Key)                    {}

func (forgetful) Lookup(authn.EntryKind, authn.Key) (authn.Entry, bool) { return authn.Entry{}, false }

func TestBounded(t *testing.T) {
	t.Run("LEAK-6: a million addresses that guess leave nothing behind", func(t *testing.T) {
		own := NewMemory()
		t.Cleanup(func() { _ = own.Destruct() })
		l := New(small, forgetful{}, own, zap.NewNop())
		before := heap()
		for i := range 1_000_000 {
			attempt := attemptOf(authn.ClientOf(address(i)), strconv.Itoa(i), "wrong")
			l.Judge(t.Context(), attempt, func() Verdict { return Wrong })
		}
		if after := heap(); after > before+1<<20 {
			t.Errorf("%d KB, then %d KB", before>>10, after>>10)
		}
		if len(l.turns.taken)+own.together.EstimatedSize()+own.good.EstimatedSize() != 0 {
			t.Errorf("%d turns and %d pairs are left", len(l.turns.taken), own.together.EstimatedSize())
		}
	})
	t.Run("LEAK-6: what is known of the good is bounded", func(t *testing.T) {
		own := NewMemory()
		t.Cleanup(func() { _ = own.Destruct() })
		l := New(small, forgetful{}, own, zap.NewNop())
		for i := range belongAtMost + 20_000 {
			attempt := attemptOf(authn.ClientOf(address(i)), "", "good")
			l.Judge(t.Context(), attempt, func() Verdict { return Good })
		}
		own.together.CleanUp()
		own.good.CleanUp()
		if pairs, good := own.together.EstimatedSize(), own.good.EstimatedSize(); pairs > belongAtMost || good > acceptedAtMost {
			t.Errorf("%d pairs, %d credentials", pairs, good)
		}
	})
}

// address is a network of its own for each number.
func address(i int) string { return fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff) }

func heap() uint64 {
	var memory runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}

func TestForeignMarks(t *testing.T) {
	t.Run("LEAK-6: a revocation blocks nobody", func(t *testing.T) {
		own, store := NewMemory(), memory.New()
		t.Cleanup(func() { _ = own.Destruct() })
		l := New(small, store, own, zap.NewNop())
		a := attemptOf("c", "alice", "")
		_ = store.Publish(t.Context(), authn.Entry{Kind: authn.EntryRevoked, Key: l.pair(a.Who(), a.Credential).key, Until: time.Now().Add(time.Hour)})
		if _, refused := l.Judge(t.Context(), a, func() Verdict { return Good }); refused {
			t.Error("refused")
		}
	})
}
