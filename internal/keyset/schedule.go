package keyset

import (
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// schedule decides when keys may be fetched, and lets those who wait for the
// same fetch share it. Only requests that the current set cannot answer come
// here, so its lock is not on the path of the others.
type schedule struct {
	wake chan struct{} // ends the wait of the goroutine

	mutex     sync.Mutex
	running   *attempt  // nil between two fetches
	next      *attempt  // never nil
	begun     uint64    // fetches so far
	requested bool      // by a request that came during the running fetch
	demanded  bool      // by the operator during the running fetch
	earliest  time.Time // when a request may cause the next fetch
	due       time.Time // when it begins; zero for now
	failures  int       // in a row
	failure   error     // of the last fetch; nil after a good one

	// arrived is how many fetches had begun when a token with an unknown kid first
	// came. When it is full, it starts again empty: such tokens are then as new.
	arrived map[Digest]uint64
}

// maxArrived bounds the tokens that are remembered.
const maxArrived = 10_000

// attempt is one fetch, from before it begins.
type attempt struct {
	done chan struct{}
	err  error // to be read once done is closed
}

func newSchedule() *schedule {
	return &schedule{wake: make(chan struct{}, 1), next: newAttempt(), arrived: make(map[Digest]uint64)}
}

func newAttempt() *attempt { return &attempt{done: make(chan struct{})} }

// ask is for requests. It has a fetch begin as soon as one may, and returns the one
// that is running or begins now, if any. A fetch whose number is greater than
// arrived began after the token first came.
func (s *schedule) ask(now time.Time, token Digest) (fetch *attempt, arrived uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	arrived, known := s.arrived[token]
	if !known {
		if len(s.arrived) >= maxArrived {
			clear(s.arrived)
		}
		arrived = s.begun
		s.arrived[token] = arrived
	}
	if s.running != nil {
		s.requested = true
		return s.running, arrived
	}
	if s.due.After(s.earliest) {
		s.due = s.earliest
		s.wakeUp()
	}
	if now.Before(s.earliest) {
		return nil, arrived
	}
	return s.next, arrived
}

// demand is for the operator: it has another fetch begin, as soon as the one
// that may be running has ended.
func (s *schedule) demand() *attempt {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.demanded, s.due = true, time.Time{}
	s.wakeUp()
	return s.next
}

func (s *schedule) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// outlook returns when the next fetch begins and why the last one
// failed, if it did.
func (s *schedule) outlook() (due time.Time, failure error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.due, s.failure
}

// reopens returns when a request may cause the next fetch.
func (s *schedule) reopens() time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.earliest
}

// begin turns the next attempt into the running one, for which all requests until now
// wait. It returns the number of the fetch.
func (s *schedule) begin() uint64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case <-s.wake:
	default:
	}
	s.running, s.next = s.next, newAttempt()
	s.requested, s.demanded = false, false
	s.begun++
	return s.begun
}

// succeed ends the running attempt.
func (s *schedule) succeed(earliest, due time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.failures, s.failure = 0, nil
	s.end(earliest, due)
}

// fail ends the running attempt, and puts the next one off.
func (s *schedule) fail(now time.Time, reason error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.failures++
	s.failure = reason
	again := now.Add(idp.Backoff(s.failures, maxBackoff))
	s.end(again, again)
}

func (s *schedule) end(earliest, due time.Time) {
	switch {
	case s.demanded:
		due = time.Time{}
	case s.requested:
		due = earliest
	}
	s.earliest, s.due = earliest, due
	s.running.err = s.failure
	close(s.running.done)
	s.running = nil
}
