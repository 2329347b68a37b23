package redis

import (
	"context"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	miniserver "github.com/alicebob/miniredis/v2/server"
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap/zapcore"

	"github.com/excorp/caddy-require-auth/store"
)

func TestStartWithoutRedis(t *testing.T) {
	t.Parallel()
	wire := layWire(t, start(t).Addr())
	wire.cut()
	one, log := instance(t, Redis{Addresses: []string{wire.address}})
	until := time.Now().Add(time.Hour)
	t.Run("R9449-11: whether a proof is new cannot be said", func(t *testing.T) {
		if fresh, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), until); fresh || err == nil {
			t.Error(fresh, err)
		}
	})
	t.Run("whether anything is revoked cannot be said", func(t *testing.T) {
		if _, err := one.HasRevocations(); err == nil || one.Healthy() {
			t.Error(err, one.Healthy())
		}
	})
	t.Run("LEAK-6: attempts are counted", func(t *testing.T) {
		for want := range 5 {
			if got := one.Count(t.Context(), store.KeyOf("client"), time.Minute); got != want+1 {
				t.Errorf("it stands at %d, want %d", got, want+1)
			}
		}
		one.Reset(t.Context(), store.KeyOf("client"))
		if got := one.Count(t.Context(), store.KeyOf("client"), time.Minute); got != 1 {
			t.Errorf("after a reset it stands at %d", got)
		}
	})
	t.Run("a revocation holds here, and that others do not know is said", func(t *testing.T) {
		if err := one.Publish(t.Context(), revocation("token", time.Hour)); err == nil || !revoked(one, "token") {
			t.Error(err, revoked(one, "token"))
		}
	})
	t.Run("one record says that Redis is away, one that it is back", func(t *testing.T) {
		eventually(t, "it is told", func() bool { return log.Len() == 1 })
		wire.mend()
		eventually(t, "Redis is back", func() bool { return one.Healthy() && log.Len() == 2 })
		entries := log.All()
		if len(entries) != 2 || entries[0].Level != zapcore.WarnLevel || entries[1].Level != zapcore.InfoLevel {
			t.Errorf("the log has %v", entries)
		}
	})
	t.Run("what others did not know is stored", func(t *testing.T) {
		if other := group(t, wire.address, 1)[0]; !revoked(other, "token") {
			t.Error("another instance does not know")
		}
	})
	t.Run("R9449-11: a proof is new once", func(t *testing.T) {
		for _, want := range []bool{true, false} {
			if fresh, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), until); fresh != want || err != nil {
				t.Error(fresh, err)
			}
		}
	})
}

func TestRedisGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	wire := layWire(t, start(t).Addr())
	all := group(t, wire.address, 2)
	one, other := all[0], all[1]
	if err := one.Publish(t.Context(), revocation("before", time.Hour)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both know", func() bool { return revoked(other, "before") })
	for range 3 {
		one.Count(t.Context(), store.KeyOf("client"), time.Minute)
	}
	wire.cut()
	eventually(t, "it is noticed", func() bool { return !one.Healthy() && !other.Healthy() })

	if _, err := one.HasRevocations(); err != nil || !revoked(one, "before") {
		t.Error("the revocations that were known are not any longer", err)
	}
	if got := one.Count(t.Context(), store.KeyOf("client"), time.Minute); got != 4 {
		t.Errorf("the counter does not go on: %d", got)
	}
	if err := one.Publish(t.Context(), revocation("meanwhile", time.Hour)); err == nil {
		t.Error("it was not stored, without an error")
	}
	wire.mend()
	eventually(t, "both know what happened meanwhile", func() bool {
		return one.Healthy() && other.Healthy() && revoked(other, "meanwhile") && revoked(other, "before")
	})
}

// TestHangs has a server that takes connections and says nothing.
func TestHangs(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const timeout = 500 * time.Millisecond
	one, _ := instance(t, Redis{Addresses: []string{listener.Addr().String()}, Timeout: caddy.Duration(timeout)})
	waited := 0
	for range 20 {
		began := time.Now()
		if _, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), time.Now().Add(time.Hour)); err == nil {
			t.Fatal("nothing answered, and it was new")
		}
		switch elapsed := time.Since(began); {
		case elapsed > 10*timeout:
			t.Errorf("a request waited for %s", elapsed)
		case elapsed > timeout*9/10:
			waited++
		}
	}
	if waited > tolerated+1 {
		t.Errorf("%d requests waited", waited)
	}
}

func TestClientsThatLeaveAreNoOutage(t *testing.T) {
	one := instances(t, start(t), 1)[0]
	canceled, leave := context.WithCancel(t.Context())
	leave()
	for i := range 10 {
		if fresh, err := one.First(canceled, store.KeyOf("token"), store.KeyOf("proof", string(rune('a'+i))), time.Now().Add(time.Hour)); !fresh || err != nil {
			t.Error(fresh, err)
		}
	}
	if !one.Healthy() {
		t.Error("Redis is taken for away")
	}
}

func TestWritesAreRefused(t *testing.T) {
	server := start(t)
	one, log := instance(t, Redis{Addresses: []string{server.Addr()}})
	eventually(t, "it is ready", one.Healthy)
	server.SetError("OOM command not allowed when used memory > 'maxmemory'.")
	eventually(t, "it is noticed", func() bool {
		_, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), time.Now().Add(time.Hour))
		return err != nil && !one.Healthy()
	})
	server.SetError("")
	eventually(t, "it is over", one.Healthy)
	if warnings := log.FilterLevelExact(zapcore.WarnLevel).Len(); warnings != 1 {
		t.Errorf("%d warnings", warnings)
	}
}

// TestRefusedRevocation has a Redis that answers, and refuses a write for a while.
func TestRefusedRevocation(t *testing.T) {
	server := start(t)
	one := instances(t, server, 1)[0]
	var refuses atomic.Bool
	server.Server().SetPreHook(func(peer *miniserver.Peer, command string, _ ...string) bool {
		refused := refuses.Load() && strings.HasPrefix(strings.ToUpper(command), "EVAL")
		if refused {
			peer.WriteError("NOREPLICAS Not enough good replicas to write.")
		}
		return refused
	})
	refuses.Store(true)
	if err := one.Publish(t.Context(), revocation("alice", time.Hour)); err == nil || !revoked(one, "alice") {
		t.Fatalf("%v, revoked here: %t", err, revoked(one, "alice"))
	}
	refuses.Store(false)
	eventually(t, "Redis has it", func() bool { return server.Exists(one.keys.entries(store.EntryRevoked)) })
}

func TestFlappingIsLoggedOnce(t *testing.T) {
	t.Parallel()
	wire := layWire(t, start(t).Addr())
	one, log := instance(t, Redis{Addresses: []string{wire.address}})
	for range 3 {
		eventually(t, "it is well", one.Healthy)
		wire.cut()
		eventually(t, "it is noticed", func() bool { return !one.Healthy() })
		wire.mend()
	}
	if got := log.Len(); got > 2 {
		t.Errorf("the log has %d records", got)
	}
}
