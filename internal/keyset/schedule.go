package keyset

import (
	"sync"
	"time"
)

// schedule decides when keys may be fetched, and lets those who wait for the
// same fetch share it. Only requests that the current set cannot answer come
// here, so its lock is not on the path of the others.
type schedule struct {
	wake chan struct{} // tells the goroutine not to wait any longer

	mutex    sync.Mutex
	running  *attempt  // nil between two fetches
	next     *attempt  // never nil
	earliest time.Time // when a request may cause the next fetch
	due      time.Time // when it begins at the latest
	failures int       // in a row
	failure  error     // of the last fetch; nil after a good one
}

// attempt is one fetch, from before it begins.
type attempt struct {
	done chan struct{}
	err  error // to be read once done is closed
}

func newSchedule() *schedule {
	return &schedule{wake: make(chan struct{}, 1), next: newAttempt()}
}

func newAttempt() *attempt { return &attempt{done: make(chan struct{})} }

// ask is for requests. It returns the fetch that is running, or has one begin if
// enough time has passed; newer reports whether the fetch begins after the call.
// Otherwise it returns no fetch, and why the last one failed if it did.
func (s *schedule) ask(now time.Time) (fetch *attempt, newer bool, failure error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.running != nil {
		return s.running, false, nil
	}
	if now.Before(s.earliest) {
		return nil, false, s.failure
	}
	s.wakeUp()
	return s.next, true, nil
}

// demand is for the operator: it has another fetch begin, as soon as the one
// that may be running has ended.
func (s *schedule) demand() *attempt {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.wakeUp()
	return s.next
}

func (s *schedule) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default: // it was told already
	}
}

// outlook returns when the next fetch begins at the latest and why the last one
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

// begin turns the next attempt into the running one. What asked for it until now
// is thereby heard.
func (s *schedule) begin() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	select {
	case <-s.wake:
	default:
	}
	s.running, s.next = s.next, newAttempt()
}

// succeed ends the running attempt.
func (s *schedule) succeed(earliest, due time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.failures, s.failure = 0, nil
	s.end(earliest, due)
}

// fail ends the running attempt, and returns how long the next one is put off.
func (s *schedule) fail(now time.Time, reason error) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.failures++
	s.failure = reason
	delay := backoff(s.failures)
	s.end(now.Add(delay), now.Add(delay))
	return delay
}

func (s *schedule) end(earliest, due time.Time) {
	s.earliest, s.due = earliest, due
	s.running.err = s.failure
	close(s.running.done)
	s.running = nil
}
