package redis

import (
	"bytes"
	"net"
	"sync"
	"testing"
)

// wire is what lies between an instance and Redis: it can be cut and mended.
type wire struct {
	t           *testing.T
	to, address string

	mutex     sync.Mutex
	listener  net.Listener
	open      map[net.Conn]bool
	loseAfter []byte // the answer to the next request with this text is lost
}

// layWire begins to relay to a server.
func layWire(t *testing.T, to string) *wire {
	t.Helper()
	w := &wire{t: t, to: to, address: "127.0.0.1:0", open: make(map[net.Conn]bool)}
	w.mend()
	w.address = w.listener.Addr().String()
	t.Cleanup(w.cut)
	return w
}

// mend takes connections.
func (w *wire) mend() {
	w.t.Helper()
	listener, err := net.Listen("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.listener = listener
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go w.relay(client)
		}
	}()
}

// cut ends all connections and refuses new ones.
func (w *wire) cut() {
	_ = w.listener.Close()
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for each := range w.open {
		_ = each.Close()
	}
}

func (w *wire) lose(after string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.loseAfter = []byte(after)
}

func (w *wire) relay(client net.Conn) {
	server, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = client.Close()
		return
	}
	w.mutex.Lock()
	w.open[client], w.open[server] = true, true
	w.mutex.Unlock()
	go w.pass(server, client, func([]byte) {})
	w.pass(client, server, func(request []byte) {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		if w.loseAfter != nil && bytes.Contains(request, w.loseAfter) {
			w.loseAfter = nil
			_ = client.Close()
		}
	})
}

// pass passes on what one side says, until either has gone.
func (w *wire) pass(from, to net.Conn, look func([]byte)) {
	defer from.Close()
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		look(buffer[:n])
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}
