package dpop

import (
	"strings"
	"testing"
	"time"
)

func TestNonces(t *testing.T) {
	now := start
	clock := func() time.Time { return now }
	t.Run("R9449-13: accepted in its step and in the next", func(t *testing.T) {
		nonces := NewNonces(clock)
		now = start.Truncate(2 * time.Minute)
		begin, nonce := now, nonces.Current()
		for later, want := range map[time.Duration]bool{
			-1: false, 0: true, 2*time.Minute - 1: true, 2 * time.Minute: true, 4*time.Minute - 1: true, 4 * time.Minute: false, time.Hour: false,
		} {
			now = begin.Add(later)
			if got := nonces.Accepts(nonce); got != want {
				t.Errorf("after %v: %v", later, got)
			}
		}
		now = begin.Add(2 * time.Minute)
		if nonces.Current() == nonce {
			t.Error("it does not change")
		}
	})
	t.Run("R9449-13: only characters that a field may have", func(t *testing.T) {
		nonce := NewNonces(clock).Current()
		if len(nonce) != 43 || strings.Trim(nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("got %q", nonce)
		}
	})
	t.Run("R9449-13: unpredictable without the key", func(t *testing.T) {
		if NewNonces(clock).Accepts(NewNonces(clock).Current()) {
			t.Error("two keys make the same nonce")
		}
	})
	t.Run("R9449-12: nothing is no nonce", func(t *testing.T) {
		if NewNonces(clock).Accepts("") {
			t.Error("accepted")
		}
	})
}
