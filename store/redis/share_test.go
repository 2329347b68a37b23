package redis

import (
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/store"
)

// TestSharedKeys has public keys of two instances in one Redis.
func TestSharedKeys(t *testing.T) {
	server := start(t)
	both := instances(t, server, 2)
	want := func(t *testing.T, want map[string]string) {
		t.Helper()
		for _, one := range both {
			if got, err := one.KeysOfAll(t.Context()); err != nil || !maps.Equal(got, want) {
				t.Errorf("got %v and error %v, want %v", got, err, want)
			}
		}
	}
	share := func(t *testing.T, one *shared, keep time.Duration, keys map[string]string) error {
		t.Helper()
		return one.ShareKeys(t.Context(), keys, keep)
	}
	t.Run("each instance knows the keys of all", func(t *testing.T) {
		want(t, map[string]string{})
		for i, one := range both {
			if err := share(t, one, time.Hour, map[string]string{"k" + strconv.Itoa(i): `{"kty": "EC"}`}); err != nil {
				t.Error(err)
			}
		}
		want(t, map[string]string{"k0": `{"kty": "EC"}`, "k1": `{"kty": "EC"}`})
	})
	t.Run("the keys of an instance that ended go", func(t *testing.T) {
		server.SetTime(time.Now().Add(2 * time.Hour))
		if err := share(t, both[0], time.Hour, map[string]string{"k2": "new"}); err != nil {
			t.Error(err)
		}
		want(t, map[string]string{"k2": "new"})
	})
	t.Run("the number of keys is bounded, and no key makes room", func(t *testing.T) {
		many := make(map[string]string)
		for i := range store.MaxSharedKeys {
			many[fmt.Sprint("many ", i)] = "x"
		}
		if err := share(t, both[0], time.Hour, many); err == nil {
			t.Error("they are stored")
		}
		want(t, map[string]string{"k2": "new"})
	})
	t.Run("it is an error if Redis is away", func(t *testing.T) {
		server.Close()
		if err := share(t, both[0], time.Hour, map[string]string{"k3": "x"}); err == nil {
			t.Error("no error")
		}
		if _, err := both[0].KeysOfAll(t.Context()); err == nil {
			t.Error("no error")
		}
	})
}
