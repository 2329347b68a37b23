// Package fairness divides what is scarce among clients that nobody knows yet,
// so that no one of them can keep all others out. A client is named by
// [github.com/excorp/caddy-require-auth/authn.ClientOf]; those without a name
// are one.
package fairness

import "sync"

// Shares are a number of places. A client may take one more as long as it holds
// fewer than are free. So one alone gets half of them, many get less each, and
// who holds none is turned away only when there is none.
type Shares struct {
	mutex sync.Mutex
	free  int
	held  map[string]int // of clients that hold some
}

// NewShares returns so many places.
func NewShares(locations int) *Shares {
	return &Shares{free: locations, held: make(map[string]int)}
}

// Take reports whether the client has got a place, to be given back.
func (s *Shares) Take(client string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.held[client] >= s.free {
		return false
	}
	s.held[client]++
	s.free--
	return true
}

// Give returns a place.
func (s *Shares) Give(client string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.free++
	if s.held[client]--; s.held[client] == 0 {
		delete(s.held, client)
	}
}
