package harness

import (
	"net"
	"os"
	"slices"
	"strconv"
	"testing"
)

// ports are those of this process, below the ones that the system hands out. Caddy
// shares its listeners (SO_REUSEPORT), so two processes on one port would answer each
// other's requests.
var ports = struct{ first, count, next int }{first: 20_000 + os.Getpid()%120*100, count: 100}

func freePort(t testing.TB) string {
	t.Helper()
	for range ports.count {
		port := strconv.Itoa(ports.first + ports.next%ports.count)
		ports.next++
		listener, err := net.Listen("tcp", ":"+port)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("all ports are taken")
	return ""
}

// FreeAddress returns an address on loopback that nothing listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return "localhost:" + freePort(t)
}

// waitSettled is [Settled] for all of the server's ports.
func (s *Server) waitSettled() {
	s.t.Helper()
	var addresses []string
	for _, port := range s.ports {
		addresses = append(addresses, ":"+port)
	}
	Settled(s.t, addresses...)
}

// Settled waits until no configuration that was replaced listens on an address any
// longer. Caddy has both listen for a moment (SO_REUSEPORT), and stops the old one
// after loading. The system resets a connection that the old one has not accepted yet.
// Clients try again then. A test that took every lost connection for that would not see
// the ones that the gate loses, so tests wait.
func Settled(t testing.TB, addresses ...string) {
	t.Helper()
	var ports []string
	for _, address := range addresses {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		ports = append(ports, port)
	}
	Eventually(t, "what was replaced no longer listens", func() bool { return !twice(listening(ports)) })
}

func twice(all []string) bool {
	slices.Sort(all)
	return len(slices.Compact(slices.Clone(all))) < len(all)
}
