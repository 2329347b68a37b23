package idp

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Backoff returns how long to wait after this many failures in a row: a second,
// doubled each time up to most, see [Spread].
func Backoff(failures int, most time.Duration) time.Duration {
	delay := time.Second
	for ; failures > 1 && delay < most; failures-- {
		delay *= 2
	}
	return min(Spread(min(delay, most)), most)
}

// Spread changes a duration by up to 10 % to either side, so that many servers do
// not ask at once.
func Spread(delay time.Duration) time.Duration {
	return time.Duration(float64(delay) * (0.9 + 0.2*rand.Float64()))
}

// logAgain is the shortest time between two records of one failure that ended in
// between. An endpoint that fails for every other token must not fill the log.
const logAgain = time.Minute

// DedupLog decides what is worth a record: each change of the reason of a failure,
// and the recovery from a failure that was logged.
type DedupLog struct {
	mutex     sync.Mutex
	reason    string
	at        time.Time
	recovered bool
}

// Failed reports whether a failure is worth a record.
func (l *DedupLog) Failed(now time.Time, reason string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if reason == l.reason && (!l.recovered || now.Sub(l.at) < logAgain) {
		return false
	}
	l.reason, l.at, l.recovered = reason, now, false
	return true
}

// Recovered reports whether a success is worth a record.
func (l *DedupLog) Recovered() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.reason == "" || l.recovered {
		return false
	}
	l.recovered = true
	return true
}
