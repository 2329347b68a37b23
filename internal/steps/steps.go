// Package steps counts the work of reading a request. Every loop over bytes of a
// stranger adds its length, and the search for a path template the segments that it
// compares. So tests can prove that the work does not grow with the square of the bytes,
// or with the number of templates. In production it costs a comparison with nil.
package steps

import "sync/atomic"

var counter atomic.Pointer[atomic.Int64]

// Add counts n processed bytes or comparisons.
func Add(n int) {
	if counting := counter.Load(); counting != nil {
		counting.Add(int64(n))
	}
}

// Of returns the count of a function, including goroutines that it waits for. Only
// tests call it, one at a time.
func Of(work func()) int64 {
	counting := new(atomic.Int64)
	counter.Store(counting)
	defer counter.Store(nil)
	work()
	return counting.Load()
}
