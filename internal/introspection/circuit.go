package introspection

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/internal/idp"
)

// maxPause bounds the pauses after failures, see [idp.Backoff].
const maxPause = 30 * time.Second

const (
	// several is from how many clients on, whose calls fail without a success
	// between, the calls pause. One client may send tokens that the endpoint, or
	// a firewall before it, always fails on.
	several = 3
	// calm is how long after a success failures limit nothing: an endpoint that
	// has just answered is not down.
	calm = time.Second
	// maxTrials bounds the calls in flight while the endpoint fails. One client
	// alone can have half of them, see [fairness.FairQuota].
	maxTrials = 16
	// maxFailed bounds the clients that are remembered; each further one counts
	// as a client whose calls have not failed.
	maxFailed = 10_000
)

// circuit limits the calls of an endpoint that fails, so that requests need not
// wait for its timeout and it can recover.
//
// Strangers choose the tokens, so the failure of a token proves nothing about the
// endpoint. A success ends every limit. Without one, few calls are in flight at a
// time, and after failures of several clients these clients pause. A client whose
// calls have not failed can still try: its success ends the pause.
type circuit struct {
	mutex       sync.Mutex
	round       uint64 // counts the pauses
	pauses      int    // in a row
	until       time.Time
	reason      error
	failed      map[string]struct{} // clients whose calls failed since the last success
	lastSuccess time.Time
	trials      *fairness.FairQuota
}

func newCircuit() circuit {
	return circuit{failed: make(map[string]struct{}), trials: fairness.NewFairQuota(maxTrials)}
}

var (
	errPaused = errors.New("calls pause after a failure")
	errTrials = errors.New("too many calls at once of an endpoint that fails")
)

// pass is what a call needs to begin, and gives back with [circuit.leave].
type pass struct {
	client string
	round  uint64 // in which the call began
	trial  bool
}

// enter lets a call of a client begin, or returns how long its calls pause and
// why.
func (c *circuit) enter(now time.Time, client string) (pass, time.Duration, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.fails(now) {
		return pass{client: client, round: c.round}, 0, nil
	}
	wait := c.until.Sub(now)
	if _, failed := c.failed[client]; failed && wait > 0 {
		return pass{}, wait, fmt.Errorf("%w: %w", errPaused, c.reason)
	}
	if !c.trials.TryAcquire(client) {
		return pass{}, wait, fmt.Errorf("%w: %w", errTrials, c.reason)
	}
	return pass{client: client, round: c.round, trial: true}, 0, nil
}

// leave ends a call.
func (c *circuit) leave(p pass) {
	if p.trial {
		c.trials.Release(p.client)
	}
}

// fails reports whether nothing but failures is known of the recent past.
func (c *circuit) fails(now time.Time) bool {
	return len(c.failed) > 0 && now.Sub(c.lastSuccess) >= calm
}

// fail notes that a call failed. It begins a pause where calls of several clients
// have, and returns how long that is. Calls that began before the last pause begin
// none: many that time out one after the other are one failure.
func (c *circuit) fail(now time.Time, p pass, reason error) time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.reason = reason
	if len(c.failed) < maxFailed {
		c.failed[p.client] = struct{}{}
	}
	if p.round == c.round && len(c.failed) >= several && c.fails(now) && !now.Before(c.until) {
		c.round++
		c.pauses++
		c.until = now.Add(idp.Backoff(c.pauses, maxPause))
	}
	return c.until.Sub(now)
}

// succeed ends a pause, also when the call began before it: an endpoint that
// answers some tokens is not down, whatever it does with the others.
func (c *circuit) succeed(now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.pauses, c.until, c.reason, c.lastSuccess = 0, time.Time{}, nil, now
	clear(c.failed)
}

// pausedUntil is when the clients that pause may call again; zero if none does.
func (c *circuit) pausedUntil(now time.Time) time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if now.Before(c.until) {
		return c.until
	}
	return time.Time{}
}
