package keyset

import (
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// schedule decides when keys may be fetched. Requests that wait for the same fetch
// share it. Only requests that the current set cannot answer need its lock.
type schedule struct {
	wake chan struct{} // ends the wait of the goroutine

	mutex     sync.Mutex
	running   *attempt  // nil between two fetches
	next      *attempt  // never nil
	fetches   uint64    // fetches so far
	requested bool      // by a request that came during the running fetch
	forced    bool      // by the operator during the running fetch
	earliest  time.Time // when a request may cause the next fetch
	due       time.Time // when it begins; zero for now
	failures  int       // in a row
	failure   error     // of the last fetch; nil after a good one

	// firstFetch maps a token with an unknown kid to the number of fetches that had begun
	// when it first came. A full map is emptied, and its tokens count as new.
	firstFetch map[Digest]uint64
}

// maxUnknown bounds the tokens in firstFetch.
const maxUnknown = 10_000

// attempt is one fetch, even before it begins.
type attempt struct {
	done chan struct{}
	err  error // to be read once done is closed
}

func newSchedule() *schedule {
	return &schedule{wake: make(chan struct{}, 1), next: newAttempt(), firstFetch: make(map[Digest]uint64)}
}

func newAttempt() *attempt { return &attempt{done: make(chan struct{})} }

// request has a fetch begin as soon as possible, for a request. It returns the fetch
// that runs or begins now, or nil. A fetch with a greater number than fetches began
// after the token first came.
func (s *schedule) request(now time.Time, token Digest) (fetch *attempt, fetches uint64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	fetches, found := s.firstFetch[token]
	if !found {
		if len(s.firstFetch) >= maxUnknown {
			clear(s.firstFetch)
		}
		fetches = s.fetches
		s.firstFetch[token] = fetches
	}
	if s.running != nil {
		s.requested = true
		return s.running, fetches
	}
	if s.due.After(s.earliest) {
		s.due = s.earliest
		s.wakeUp()
	}
	if now.Before(s.earliest) {
		return nil, fetches
	}
	return s.next, fetches
}

// force has a fetch begin for the operator, after a running one has ended.
func (s *schedule) force() *attempt {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.forced, s.due = true, time.Time{}
	s.wakeUp()
	return s.next
}

func (s *schedule) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it is awake
	}
}

// outlook returns when the next fetch begins, and why the last one failed.
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
	s.requested, s.forced = false, false
	s.fetches++
	return s.fetches
}

// succeed ends the running attempt.
func (s *schedule) succeed(earliest, due time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.failures, s.failure = 0, nil
	s.end(earliest, due)
}

// fail ends the running attempt and delays the next one.
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
	case s.forced:
		due = time.Time{}
	case s.requested:
		due = earliest
	}
	s.earliest, s.due = earliest, due
	s.running.err = s.failure
	close(s.running.done)
	s.running = nil
}
