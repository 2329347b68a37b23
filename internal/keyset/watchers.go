package keyset

import (
	"sync"
	"sync/atomic"
)

// watchers are told of failed fetches, and count all of them.
type watchers struct {
	ok, failed atomic.Uint64

	mutex sync.Mutex
	next  int
	told  map[int]func(error)
}

// OnFailure has failed fetches told until the returned function is called. It is
// called by the goroutine that fetches, which waits for it.
func (r *Remote) OnFailure(tell func(error)) (stop func()) {
	w := &r.watchers
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.told == nil {
		w.told = make(map[int]func(error))
	}
	number := w.next
	w.next++
	w.told[number] = tell
	return func() {
		w.mutex.Lock()
		defer w.mutex.Unlock()
		delete(w.told, number)
	}
}

func (w *watchers) fail(reason error) {
	w.failed.Add(1)
	w.mutex.Lock()
	told := make([]func(error), 0, len(w.told))
	for _, tell := range w.told {
		told = append(told, tell)
	}
	w.mutex.Unlock()
	for _, tell := range told {
		tell(reason)
	}
}

// Fetches returns how many fetches brought keys, and how many failed.
func (r *Remote) Fetches() (ok, failed uint64) {
	return r.watchers.ok.Load(), r.watchers.failed.Load()
}
