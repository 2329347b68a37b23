package introspection

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Pauses after failures: doubled each time.
const (
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// circuit pauses the calls of an endpoint that fails, so that requests need not
// wait for its timeout and it can recover.
type circuit struct {
	mutex    sync.Mutex
	round    uint64 // counts the pauses
	failures int    // in a row
	until    time.Time
	reason   error
}

// enter tells a call in which round it begins, or how long calls still pause,
// and why.
func (c *circuit) enter(now time.Time) (round uint64, wait time.Duration, reason error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.round, c.until.Sub(now), c.reason
}

// fail begins a pause, and returns how long it is. Calls that began before the
// last pause add nothing to what is known: many that time out one after the
// other are one failure.
func (c *circuit) fail(now time.Time, round uint64, reason error) time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if round == c.round {
		c.round++
		c.failures++
		c.until, c.reason = now.Add(pause(c.failures)), reason
	}
	return c.until.Sub(now)
}

// succeed ends a pause, also when the call began before it: an endpoint that
// answers some tokens is not down, whatever it does with the others.
func (c *circuit) succeed() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.failures, c.until, c.reason = 0, time.Time{}, nil
}

// pause is spread by 10 % to either side, so that many servers do not come back
// at once.
func pause(failures int) time.Duration {
	length := firstPause
	for ; failures > 1 && length < maxPause; failures-- {
		length *= 2
	}
	spread := time.Duration(float64(min(length, maxPause)) * (0.9 + 0.2*rand.Float64()))
	return min(spread, maxPause)
}

// tellAgain is the shortest time after which a failure that was over is worth
// another line in the log. It keeps an endpoint that fails for every other token
// from filling it.
const tellAgain = time.Minute

// news decides what is worth a line in the log: each change of reason.
type news struct {
	mutex sync.Mutex
	last  string
	at    time.Time
	ended bool
}

// tell reports whether a reason is news.
func (n *news) tell(now time.Time, reason string) bool {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if reason == n.last && (!n.ended || now.Sub(n.at) < tellAgain) {
		return false
	}
	n.last, n.at, n.ended = reason, now, false
	return true
}

// over says that things are well again.
func (n *news) over() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.ended = true
}
