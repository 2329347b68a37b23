package fairness

import (
	"strconv"
	"testing"
)

func TestShares(t *testing.T) {
	const places = 128
	takeAll := func(s *Shares, client string) (taken int) {
		for s.Take(client) {
			taken++
		}
		return taken
	}
	t.Run("one alone gets half", func(t *testing.T) {
		if taken := takeAll(NewShares(places), "a"); taken != places/2 {
			t.Errorf("%d", taken)
		}
	})
	t.Run("who comes later gets some", func(t *testing.T) {
		s := NewShares(places)
		for i, want := range []int{64, 32, 16, 8, 4, 2, 1, 1, 0} {
			if taken := takeAll(s, strconv.Itoa(i)); taken != want {
				t.Errorf("client %d took %d, want %d", i, taken, want)
			}
		}
	})
	t.Run("what was given back is there again, and nobody is remembered", func(t *testing.T) {
		s := NewShares(places)
		for range takeAll(s, "a") {
			s.Give("a")
		}
		if s.free != places || len(s.held) != 0 {
			t.Errorf("%d free, %v", s.free, s.held)
		}
		if taken := takeAll(s, "a"); taken != places/2 {
			t.Errorf("%d", taken)
		}
	})
}
