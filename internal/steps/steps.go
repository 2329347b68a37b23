// Package steps counts the work of reading a request. Every loop over bytes
// that a stranger sent adds what it looks at, so that a test can show that the
// work grows with these bytes and not with their square. Elsewhere it costs a
// comparison with nil.
package steps

import "sync/atomic"

var counter atomic.Pointer[atomic.Int64]

// Add counts n bytes that were looked at.
func Add(n int) {
	if counting := counter.Load(); counting != nil {
		counting.Add(int64(n))
	}
}

// Of returns what a function adds, also in other goroutines that it waits for.
// Only tests call it, and one at a time.
func Of(work func()) int64 {
	counting := new(atomic.Int64)
	counter.Store(counting)
	defer counter.Store(nil)
	work()
	return counting.Load()
}
