package introspection

import "sync"

// shares divide a number of places among clients that nobody knows yet. A client
// may take one more place as long as it holds fewer than are free. So one alone
// gets half of them, many get less each, and who holds none is turned away only
// when there is none: a flood of made-up tokens from one address leaves room for
// everybody else.
type shares struct {
	mutex sync.Mutex
	free  int
	held  map[string]int // of clients that hold some
}

func newShares() *shares {
	return &shares{free: maxInFlight, held: make(map[string]int)}
}

// take reports whether the client has got a place, to be given back.
func (s *shares) take(client string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.held[client] >= s.free {
		return false
	}
	s.held[client]++
	s.free--
	return true
}

// give returns a place.
func (s *shares) give(client string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.free++
	if s.held[client]--; s.held[client] == 0 {
		delete(s.held, client)
	}
}
