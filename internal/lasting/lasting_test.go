package lasting

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
)

type state struct{ ended bool }

func (s *state) Destruct() error {
	s.ended = true
	return nil
}

func TestValue(t *testing.T) {
	v := Value[*state]{New: func() *state { return new(state) }}
	release := func() {
		t.Helper()
		if err := v.Release(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("GW-5: the state outlives its configurations while another one runs", func(t *testing.T) {
		if err := caddy.Load([]byte(`{"admin": {"disabled": true, "config": {"persist": false}}}`), false); err != nil {
			t.Fatal(err)
		}
		first := v.Acquire()
		release()
		if again := v.Acquire(); again != first || first.ended {
			t.Error("the state ended with its configuration")
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the state ends when Caddy stops", func(t *testing.T) {
		last := v.Acquire()
		release()
		if last.ended {
			t.Error("the state ended before its last user released it")
		}
		release()
		if next := v.Acquire(); !last.ended || next == last {
			t.Error("the state goes on after Caddy has stopped")
		}
		release()
	})
}
