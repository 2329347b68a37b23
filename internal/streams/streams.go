// Package streams ends responses that outlive their credential. One goroutine checks
// all of them, and runs only while there are some.
package streams

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// interval is the time between two checks of a stream.
const interval = 500 * time.Millisecond

// Stream is a response that is still running.
type Stream interface {
	// Check returns why the stream has to end at an instant, and nil if it goes on.
	// It does not block. No two checks of a stream run at once.
	Check(now time.Time) error

	// End ends the response. Each check calls it again until the stream is removed,
	// because a handler may have taken back what ends the response.
	End(reason error)
}

// Registry is a set of streams. Its zero value is empty.
type Registry struct {
	mutex   sync.Mutex
	streams map[Stream]struct{}
	running bool
	now     func() time.Time // nil for the clock of the machine
	every   time.Duration    // zero for interval
}

// Process has the streams of all configurations of the process.
var Process Registry

// Add adds a stream, until Remove.
func (r *Registry) Add(s Stream) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.streams == nil {
		r.streams = make(map[Stream]struct{})
	}
	r.streams[s] = struct{}{}
	if !r.running {
		r.running = true
		go r.run(cmp.Or(r.every, interval))
	}
}

// Remove removes a stream, and reports whether it was there.
func (r *Registry) Remove(s Stream) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	_, found := r.streams[s]
	delete(r.streams, s)
	return found
}

// SetClock sets the clock, for tests. It takes nil for that of the machine.
func (r *Registry) SetClock(now func() time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.now = now
}

// SetInterval sets the time between two checks, for tests. It holds from the next
// first stream on.
func (r *Registry) SetInterval(every time.Duration) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.every = every
}

// run checks the streams until there are none.
func (r *Registry) run(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for range ticker.C {
		if !r.check() {
			return
		}
	}
}

// check checks each stream once. It reports false if there are none. Requests do not
// wait for the checks, because the set is copied.
func (r *Registry) check() bool {
	r.mutex.Lock()
	all := slices.Collect(maps.Keys(r.streams))
	now := time.Now()
	if r.now != nil {
		now = r.now()
	}
	r.running = len(all) > 0
	r.mutex.Unlock()
	for _, s := range all {
		if reason := s.Check(now); reason != nil {
			go s.End(reason)
		}
	}
	return len(all) > 0
}
