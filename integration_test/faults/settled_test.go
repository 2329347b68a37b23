package faults

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestSettled has two configurations listen on one address, as Caddy does for a moment.
func TestSettled(t *testing.T) {
	address := harness.FreeAddress(t)
	network, err := caddy.ParseNetworkAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	listen := func() io.Closer {
		listener, err := network.Listen(t.Context(), 0, net.ListenConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return listener.(io.Closer)
	}
	replaced, current := listen(), listen()
	defer current.Close()
	settled := make(chan struct{})
	go func() {
		defer close(settled)
		harness.Settled(t, address)
	}()
	if runtime.GOOS == "linux" { // elsewhere nothing is known of listeners
		select {
		case <-settled:
			t.Error("it does not wait for the end of the replaced listener")
		case <-time.After(100 * time.Millisecond):
		}
	}
	if err := replaced.Close(); err != nil {
		t.Fatal(err)
	}
	<-settled
}
