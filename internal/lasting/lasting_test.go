package lasting

import (
	"strconv"
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

func TestPool(t *testing.T) {
	p := Pool[*state]{New: func() *state { return new(state) }}
	release := func(key string) {
		t.Helper()
		if err := p.Release(key); err != nil {
			t.Fatal(err)
		}
	}
	if err := caddy.Load([]byte(`{"admin": {"disabled": true, "config": {"persist": false}}}`), false); err != nil {
		t.Fatal(err)
	}
	t.Run("GW-5: the states of the last four keys outlive their configurations", func(t *testing.T) {
		used, first, second := p.Acquire("used"), p.Acquire("first"), p.Acquire("second")
		release("first")
		release("second")
		if again := p.Acquire("first"); again != first || first.ended {
			t.Error("the state ended with its configuration")
		}
		release("first") // is now the one released last
		for i := range maxUnused - 1 {
			p.Acquire(strconv.Itoa(i))
			release(strconv.Itoa(i))
		}
		if !second.ended || first.ended || used.ended || len(p.unused) != maxUnused || len(p.values) != maxUnused+1 {
			t.Errorf("%t %t %t, %d unused of %d", second.ended, first.ended, used.ended, len(p.unused), len(p.values))
		}
	})
	t.Run("the states end when Caddy stops", func(t *testing.T) {
		used := p.values["used"].state
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		release("used")
		if !used.ended || p.values["used"] != nil {
			t.Error("the state goes on after Caddy has stopped")
		}
	})
}
