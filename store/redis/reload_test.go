package redis

import (
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/store"
)

// provision is a module of a configuration that was loaded.
func provision(t *testing.T, address, password string) *Redis {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	module := &Redis{Addresses: []string{address}, Password: password, Timeout: caddy.Duration(maxTimeout)}
	if err := module.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	return module
}

// TestStartIsReady shows that a configuration begins with the revocations, and that it
// also begins without Redis.
func TestStartIsReady(t *testing.T) {
	server := start(t)
	one := instances(t, server, 1)[0]
	if err := one.Publish(t.Context(), revocation("token", time.Hour)); err != nil {
		t.Fatal(err)
	}
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	away := layWire(t, server.Addr())
	away.cut()
	for _, c := range []struct {
		name, address string
		read, known   bool
	}{
		{"O-2: it knows the revocations at once", server.Addr(), true, true},
		{"O-2: it starts while Redis hangs", hanging.Addr().String(), false, false},
		{"O-2: it does not wait once the reading has failed", away.address, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.read { // however slow the machine is
				before := firstWait
				firstWait = time.Hour
				defer func() { firstWait = before }()
			}
			module := provision(t, c.address, "")
			defer func() { _ = module.Cleanup() }()
			read := false
			select {
			case <-module.firstRead:
				read = true
			default:
			}
			if revoking, err := module.HasRevocations(); read != c.read || revoking != c.known || (err == nil) != c.known {
				t.Error(read, revoking, err)
			}
		})
	}
}

func TestSurvivesReload(t *testing.T) {
	t.Run("GW-5: what was read outlives a configuration", func(t *testing.T) {
		server := start(t)
		before := provision(t, server.Addr(), "")
		eventually(t, "it is ready", before.Healthy)
		if err := before.Publish(t.Context(), revocation("token", time.Hour)); err != nil {
			t.Fatal(err)
		}
		after := provision(t, server.Addr(), "")
		if err := before.Cleanup(); err != nil {
			t.Fatal(err)
		}
		if revoking, err := after.HasRevocations(); !revoking || err != nil {
			t.Error("the revocations are forgotten", err)
		}
		if err := after.Cleanup(); err != nil {
			t.Error(err)
		}
		if err := after.Cleanup(); err != nil {
			t.Error(err)
		}
	})
}

func TestRevocationsOutliveTheStore(t *testing.T) {
	t.Run("GW-5: Redis gets a revocation after a configuration without the store", func(t *testing.T) {
		server := start(t)
		wire := layWire(t, server.Addr())
		before := provision(t, wire.address, "")
		eventually(t, "it is ready", before.Healthy)
		wire.cut()
		if err := before.Publish(t.Context(), revocation("token", time.Hour)); err == nil {
			t.Fatal("Redis is away, and the revocation is stored")
		}
		if err := caddy.Load([]byte(`{"admin": {"disabled": true, "config": {"persist": false}}}`), false); err != nil {
			t.Fatal(err)
		}
		if err := before.Cleanup(); err != nil {
			t.Fatal(err)
		}
		wire.mend()
		after := provision(t, wire.address, "")
		eventually(t, "it is ready again", after.Healthy)
		if !revoked(after.shared, "token") || !revoked(instances(t, server, 1)[0], "token") {
			t.Error("the revocation is lost")
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := after.Cleanup(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestReloadsLeaveNothingBehind(t *testing.T) {
	server := start(t)
	server.RequireAuth("geheim-49")
	for _, address := range []string{server.Addr(), "127.0.0.1:1"} {
		base := runtime.NumGoroutine()
		var last *Redis
		for i := range 50 {
			// Each second configuration is another one than that before.
			next := provision(t, address, "geheim-"+string(rune('0'+i/2%10)))
			_, _ = next.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), time.Now().Add(time.Minute))
			if last != nil {
				if err := last.Cleanup(); err != nil {
					t.Fatal(err)
				}
			}
			last = next
		}
		if err := last.Cleanup(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= base })
	}
	pool.Range(func(key, _ any) bool {
		t.Errorf("the pool still has %v", key)
		return true
	})
}

func TestLastRequestsOfAConfiguration(t *testing.T) {
	server := start(t)
	module := provision(t, server.Addr(), "")
	eventually(t, "it is ready", module.Healthy)
	if err := module.Publish(t.Context(), revocation("token", time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := module.Cleanup(); err != nil {
		t.Fatal(err)
	}
	if revoking, err := module.HasRevocations(); !revoking || err != nil || !revoked(module.shared, "token") {
		t.Error("the revocations are forgotten", err)
	}
	if fresh, err := module.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), time.Now().Add(time.Hour)); fresh || err == nil {
		t.Error("a proof is new although no store was asked")
	}
	for want := range 2 {
		if got := module.Count(t.Context(), store.KeyOf("client"), time.Minute); got != want+1 {
			t.Errorf("the counter stands at %d", got)
		}
	}
	if err := module.outage.err(); err != nil {
		t.Error("the end is taken for an outage:", err)
	}
}

func TestPoolKeyHasNoSecret(t *testing.T) {
	module := provision(t, "127.0.0.1:1", "geheim")
	defer func() { _ = module.Cleanup() }()
	if strings.Contains(module.poolKey, "geheim") || len(module.poolKey) != 64 {
		t.Error(module.poolKey)
	}
}

func TestCleanupWithoutProvision(t *testing.T) {
	if err := new(Redis).Cleanup(); err != nil {
		t.Error(err)
	}
}
