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
	// several is the number of clients whose calls fail, without a success between,
	// before the calls pause. One client may send tokens on which the endpoint, or a
	// firewall before it, always fails.
	several = 3
	// calm is how long after a success failures limit nothing, because the endpoint is
	// up.
	calm = time.Second
	// maxTrials bounds the calls in flight while the endpoint fails. One client alone
	// can have half of them, see [fairness.FairQuota].
	maxTrials = 16
	// maxFailed bounds the recorded clients. Further ones count as clients without
	// failed calls.
	maxFailed = 10_000
)

// circuit limits the calls of an endpoint that fails. Then requests need not wait for
// its timeout, and it can recover.
//
// Strangers choose the tokens, so the failure of a token proves nothing about the
// endpoint. A success ends every limit. Without one, few calls are in flight at a time,
// and after failures of several clients these clients pause. A client without failed
// calls can still try, and its success ends the pause.
type circuit struct {
	mutex       sync.Mutex
	round       uint64 // counts the pauses
	pauses      int    // in a row
	until       time.Time
	reason      error
	failing     map[string]struct{} // clients whose calls failed since the last success
	lastSuccess time.Time
	trials      *fairness.FairQuota
}

func newCircuit() circuit {
	return circuit{failing: make(map[string]struct{}), trials: fairness.NewFairQuota(maxTrials)}
}

var (
	errPaused = errors.New("calls pause after a failure")
	errTrials = errors.New("too many calls at once of an endpoint that fails")
)

// pass permits a call. [circuit.leave] returns it.
type pass struct {
	client string
	round  uint64 // in which the call began
	trial  bool
}

// enter lets a call of a client begin, or returns how long its calls pause, and why.
func (c *circuit) enter(now time.Time, client string) (pass, time.Duration, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.fails(now) {
		return pass{client: client, round: c.round}, 0, nil
	}
	wait := c.until.Sub(now)
	if _, failed := c.failing[client]; failed && wait > 0 {
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

// fails reports whether there were only failures recently.
func (c *circuit) fails(now time.Time) bool {
	return len(c.failing) > 0 && now.Sub(c.lastSuccess) >= calm
}

// fail records a failed call. It begins a pause if calls of several clients failed, and
// returns its length. Calls that began before the last pause begin none, because
// several late timeouts are one failure.
func (c *circuit) fail(now time.Time, p pass, reason error) time.Duration {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.reason = reason
	if len(c.failing) < maxFailed {
		c.failing[p.client] = struct{}{}
	}
	if p.round == c.round && len(c.failing) >= several && c.fails(now) && !now.Before(c.until) {
		c.round++
		c.pauses++
		c.until = now.Add(idp.Backoff(c.pauses, maxPause))
	}
	return c.until.Sub(now)
}

// succeed ends a pause, even if the call began before it: an endpoint that answers some
// tokens is not down.
func (c *circuit) succeed(now time.Time) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.pauses, c.until, c.reason, c.lastSuccess = 0, time.Time{}, nil, now
	clear(c.failing)
}

// pausedUntil is when the paused clients may call again. It is zero without a pause.
func (c *circuit) pausedUntil(now time.Time) time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if now.Before(c.until) {
		return c.until
	}
	return time.Time{}
}
