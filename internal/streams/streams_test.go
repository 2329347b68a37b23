package streams

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errOver = errors.New("over")

// response ends at an instant.
type response struct {
	ends  time.Time
	ended chan error
}

func (r *response) Check(now time.Time) error {
	if now.Before(r.ends) {
		return nil
	}
	return errOver
}

func (r *response) End(reason error) { r.ended <- reason }

func TestCheck(t *testing.T) {
	var registry Registry
	registry.running = true // no goroutine of its own
	now := time.Now()
	registry.SetClock(func() time.Time { return now })
	if registry.check() {
		t.Error("there is something at first")
	}
	registry.running = true
	short, long := &response{now.Add(time.Minute), make(chan error)}, &response{now.Add(time.Hour), make(chan error)}
	registry.Add(short)
	registry.Add(long)
	registry.check()
	now = now.Add(time.Minute)
	for range 3 { // until it is removed
		registry.check()
		if reason := <-short.ended; !errors.Is(reason, errOver) {
			t.Error(reason)
		}
	}
	if !registry.Remove(short) || registry.Remove(short) || !registry.Remove(long) {
		t.Error("what is removed is wrong")
	}
	if registry.check() || registry.running {
		t.Error("the checks go on without a stream")
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var registry Registry
		for _, every := range []time.Duration{interval, time.Millisecond} { // the goroutine ends between them
			r, began := &response{ended: make(chan error)}, time.Now()
			registry.Add(r)
			<-r.ended
			if elapsed := time.Since(began); elapsed != every {
				t.Errorf("the first check after %s, want %s", elapsed, every)
			}
			registry.Remove(r)
			time.Sleep(2 * every)
			synctest.Wait()
			registry.mutex.Lock()
			if registry.running {
				t.Error("the checks go on without a stream")
			}
			registry.mutex.Unlock()
			registry.SetInterval(time.Millisecond)
		}
	})
}
