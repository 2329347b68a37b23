package dpop

import (
	"strings"
	"testing"
	"time"
)

func TestNonces(t *testing.T) {
	now := start
	clock := func() time.Time { return now }
	key := []byte("0123456789abcdef0123456789abcdef")
	t.Run("R9449-13: accepted in its step and in the next", func(t *testing.T) {
		nonces := NewNonces(key, 0, clock)
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
		nonce := NewNonces(nil, time.Minute, nil).Current()
		if len(nonce) != 43 || strings.Trim(nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("got %q", nonce)
		}
	})
	t.Run("R9449-13: instances with one key agree", func(t *testing.T) {
		if !NewNonces(key, time.Minute, clock).Accepts(NewNonces(key, time.Minute, clock).Current()) {
			t.Error("they do not")
		}
	})
	t.Run("R9449-13: a key that the caller changes is not used", func(t *testing.T) {
		given := []byte("0123456789abcdef0123456789abcdef")
		nonces := NewNonces(given, time.Minute, clock)
		nonce := nonces.Current()
		clear(given)
		if !nonces.Accepts(nonce) {
			t.Error("it is")
		}
	})
	t.Run("R9449-13: unpredictable without the key", func(t *testing.T) {
		seen := make(map[string]bool)
		for _, key := range [][]byte{nil, nil, {}, {}, key, []byte("another")} {
			seen[NewNonces(key, time.Minute, clock).Current()] = true
		}
		if len(seen) != 6 {
			t.Errorf("%d different nonces of 6 keys", len(seen))
		}
	})
	t.Run("R9449-12: nothing is no nonce", func(t *testing.T) {
		if NewNonces(key, time.Minute, clock).Accepts("") {
			t.Error("accepted")
		}
	})
}
