package redis

import (
	"bytes"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestResetElsewhereIsKnownWhenAlone(t *testing.T) {
	server := start(t)
	all := instances(t, server, 2)
	key := authn.KeyOf("guesser")
	for range 5 {
		all[0].Count(t.Context(), key, time.Minute)
	}
	all[1].Reset(t.Context(), key)
	all[0].Count(t.Context(), key, time.Minute)
	server.Close()
	if got := all[0].Count(t.Context(), key, time.Minute); got != 2 {
		t.Errorf("alone it stands at %d, want 2", got)
	}
}

// TestAnswerIsLost has a connection that breaks when a key was stored and
// before that is said. Asked again, Redis would say that it was there.
func TestAnswerIsLost(t *testing.T) {
	server := start(t)
	one, _ := instance(t, Redis{Addresses: []string{cutting(t, server.Addr(), "caddy-auth:first:")}})
	eventually(t, "it is ready", one.Healthy)
	key := authn.KeyOf("proof")
	fresh, err := one.First(t.Context(), key, time.Now().Add(time.Hour))
	if fresh || err == nil {
		t.Errorf("it is not known whether it was new, and %t %v is said", fresh, err)
	}
	eventually(t, "it was stored", func() bool { return server.Exists(one.keys.first(key)) })
}

// cutting relays connections, and closes the first one that has passed on a text.
func cutting(t *testing.T, to, after string) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var done atomic.Bool
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go relay(client, to, []byte(after), &done)
		}
	}()
	return listener.Addr().String()
}

func relay(client net.Conn, to string, after []byte, done *atomic.Bool) {
	defer client.Close()
	upstream, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer upstream.Close()
	var cut atomic.Bool
	go func() {
		buffer := make([]byte, 64<<10)
		for {
			n, err := upstream.Read(buffer)
			if err != nil || cut.Load() {
				_ = client.Close()
				return
			}
			_, _ = client.Write(buffer[:n])
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if bytes.Contains(buffer[:n], after) && done.CompareAndSwap(false, true) {
			cut.Store(true)
		}
		_, _ = upstream.Write(buffer[:n])
	}
}

// TestListeningIsRefused has a Redis where everything can be read and no change
// be waited for: it must not be read all the time.
func TestListeningIsRefused(t *testing.T) {
	redis := start(t)
	var refused atomic.Int32
	redis.Server().SetPreHook(func(peer *server.Peer, command string, _ ...string) bool {
		if command != "XREAD" {
			return false
		}
		refused.Add(1)
		peer.WriteError("NOPERM this user has no permissions to run the 'xread' command")
		return true
	})
	began := time.Now()
	instance(t, Redis{Addresses: []string{redis.Addr()}})
	eventually(t, "it has tried five times", func() bool { return refused.Load() >= 5 })
	if took := time.Since(began); took < 4*retryAfter/2 {
		t.Errorf("five attempts in %s", took)
	}
}
