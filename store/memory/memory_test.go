package memory

import (
	"errors"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

func TestStore(t *testing.T) { storetest.Run(t, New()) }

func TestSurvivesReload(t *testing.T) {
	t.Run("GW-5: what is remembered outlives a configuration", func(t *testing.T) {
		before, after := new(Memory), new(Memory)
		if err := before.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		key := authn.KeyOf(t.Name())
		if _, err := before.First(t.Context(), key, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := after.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		if err := before.Cleanup(); err != nil {
			t.Fatal(err)
		}
		if fresh, err := after.First(t.Context(), key, time.Now().Add(time.Hour)); fresh || err != nil {
			t.Error("it is forgotten", err)
		}
		if err := errors.Join(after.Cleanup(), after.Cleanup()); err != nil {
			t.Error(err)
		}
	})
}

func TestFull(t *testing.T) {
	t.Run("R9449-11: a full memory refuses and forgets nothing", func(t *testing.T) {
		small := newSeen()
		small.most = 2
		now := time.Now()
		small.now = func() time.Time { return now }
		ask := func(name string) (bool, error) {
			return small.First(t.Context(), authn.KeyOf(name), now.Add(time.Minute))
		}
		for _, name := range []string{"a", "b"} {
			if fresh, err := ask(name); !fresh || err != nil {
				t.Fatal(fresh, err)
			}
		}
		if _, err := ask("c"); !errors.Is(err, errFull) {
			t.Error("a third key found room")
		}
		if fresh, err := ask("a"); fresh || err != nil {
			t.Error("a known key is new", err)
		}
		now = now.Add(2 * time.Minute)
		if fresh, err := ask("c"); !fresh || err != nil {
			t.Error("there is no room although all keys have ended", err)
		}
	})
}
