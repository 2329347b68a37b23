package fairness

import (
	"strconv"
	"testing"
)

func TestFairQuota(t *testing.T) {
	const slots = 128
	acquireAll := func(s *FairQuota, client string) (taken int) {
		for s.TryAcquire(client) {
			taken++
		}
		return taken
	}
	t.Run("a single client gets half", func(t *testing.T) {
		if got := acquireAll(NewFairQuota(slots), "a"); got != slots/2 {
			t.Errorf("%d", got)
		}
	})
	t.Run("a later client still gets some", func(t *testing.T) {
		s := NewFairQuota(slots)
		for i, want := range []int{64, 32, 16, 8, 4, 2, 1, 1, 0} {
			if got := acquireAll(s, strconv.Itoa(i)); got != want {
				t.Errorf("client %d got %d, want %d", i, got, want)
			}
		}
	})
	t.Run("released slots are free again and no client is kept", func(t *testing.T) {
		s := NewFairQuota(slots)
		for range acquireAll(s, "a") {
			s.Release("a")
		}
		if s.free != slots || len(s.byClient) != 0 {
			t.Errorf("%d free, %v", s.free, s.byClient)
		}
		if got := acquireAll(s, "a"); got != slots/2 {
			t.Errorf("%d", got)
		}
	})
}
