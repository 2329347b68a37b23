package redis

import (
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/excorp/caddy-require-auth/store"
)

// start runs a server whose keys end as time goes by.
func start(t *testing.T) *miniredis.Miniredis {
	t.Helper()
	server := miniredis.RunT(t)
	ticks, stopped := time.NewTicker(10*time.Millisecond), make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ticks.C:
				server.FastForward(10 * time.Millisecond)
			case <-stopped:
				return
			}
		}
	}()
	t.Cleanup(func() { ticks.Stop(); close(stopped); <-done })
	return server
}

// instance is the store of a process of its own, with its log. It waits for as
// long as a slow machine may take, unless a time-out is given.
func instance(t *testing.T, config Redis) (*shared, *observer.ObservedLogs) {
	t.Helper()
	if config.Timeout == 0 {
		config.Timeout = caddy.Duration(maxTimeout)
	}
	s, err := config.settings(caddy.NewReplacer())
	if err != nil {
		t.Fatal(err)
	}
	core, log := observer.New(zapcore.InfoLevel)
	one := share(s, zap.New(core))
	t.Cleanup(func() {
		if err := one.Destruct(); err != nil {
			t.Error(err)
		}
	})
	return one, log
}

// instances are several of one group, which have read everything.
func instances(t *testing.T, server *miniredis.Miniredis, many int) []*shared {
	t.Helper()
	return group(t, server.Addr(), many)
}

func group(t *testing.T, address string, many int) []*shared {
	t.Helper()
	all := make([]*shared, many)
	for i := range all {
		all[i], _ = instance(t, Redis{Addresses: []string{address}})
		eventually(t, "the instance is ready", all[i].Healthy)
	}
	return all
}

func revocation(name string, keep time.Duration) store.Entry {
	return store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf(name), Until: time.Now().Add(keep)}
}

func revoked(s *shared, name string) bool {
	_, found := s.Lookup(store.EntryRevoked, store.KeyOf(name))
	return found
}

func eventually(t *testing.T, condition string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting: %s", condition)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
