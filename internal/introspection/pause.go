package introspection

import (
	"math/rand/v2"
	"sync"
	"time"
)

const (
	firstPause = time.Second
	maxPause   = 30 * time.Second
)

// pause leaves an endpoint that fails alone for a while, twice as long each
// time.
type pause struct {
	mutex  sync.Mutex
	until  time.Time
	length time.Duration
	reason string
}

// left is how long the pause still lasts.
func (p *pause) left(now time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.until.Sub(now)
}

// begin starts a pause and reports whether the reason is a new one. Calls that
// fail together count as one failure.
func (p *pause) begin(now time.Time, reason string) (wait time.Duration, changed bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if now.Before(p.until) {
		return p.until.Sub(now), false
	}
	p.length = min(max(2*p.length, firstPause), maxPause)
	// Several instances should not come back at one moment.
	wait = time.Duration(float64(p.length) * (0.9 + 0.2*rand.Float64()))
	changed = reason != p.reason
	p.until, p.reason = now.Add(wait), reason
	return wait, changed
}

// end forgets failures after a success.
func (p *pause) end() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.until, p.length, p.reason = time.Time{}, 0, ""
}
