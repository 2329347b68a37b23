// Package steps counts the work of reading a request. Every loop over bytes
// that a stranger sent adds what it looks at, so that a test can show that the
// work grows with these bytes and not with their square. Elsewhere it costs a
// comparison with nil.
package steps

import "sync/atomic"

var counter *atomic.Int64

// Add counts n bytes that were looked at.
func Add(n int) {
	if counter != nil {
		counter.Add(int64(n))
	}
}

// Of returns what a function adds. Only tests call it, and one at a time.
func Of(work func()) int64 {
	counter = new(atomic.Int64)
	defer func() { counter = nil }()
	work()
	return counter.Load()
}
