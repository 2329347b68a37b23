package guessing

import (
	"context"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/fairness"
)

// reservations count the attempts in flight for each bound. An attempt is verified
// only while it and those in flight, if all of them fail, stay within the limit.
// The table has as many entries as there are attempts in flight.
type reservations struct {
	line   *fairness.Shares                      // to wait
	room   func(counter authn.Key, most int) int // see [Memory.room]
	mutex  sync.Mutex
	counts map[authn.Key]*inFlight
}

// inFlight are the attempts of one bound.
type inFlight struct {
	n      int
	change chan struct{} // closed when one of them ends; nil if none waits for that
}

func newReservations(memory *Memory) *reservations {
	return &reservations{line: fairness.NewShares(lineAtMost), room: memory.room, counts: make(map[authn.Key]*inFlight)}
}

// reserve takes one place of every counter, or none: then it returns a channel that
// is closed when it may help to try again.
func (r *reservations) reserve(allowances []allowance) (change <-chan struct{}, reserved bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, a := range allowances {
		// Failures are counted before their reservation ends, so the room that is
		// read here, under the lock, leaves none out.
		if full := r.counts[a.key]; full != nil && full.n >= r.room(a.key, a.most) {
			if full.change == nil {
				full.change = make(chan struct{})
			}
			return full.change, false
		}
	}
	for _, a := range allowances {
		if r.counts[a.key] == nil {
			r.counts[a.key] = new(inFlight)
		}
		r.counts[a.key].n++
	}
	return nil, true
}

// release gives the places back.
func (r *reservations) release(allowances []allowance) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, a := range allowances {
		ended := r.counts[a.key]
		if ended.change != nil {
			close(ended.change)
			ended.change = nil
		}
		if ended.n--; ended.n == 0 {
			delete(r.counts, a.key)
		}
	}
}

// wait waits for a change until the deadline. It reports false after that, for a
// client that goes away, and where too many wait already.
func (r *reservations) wait(ctx context.Context, client string, change <-chan struct{}, deadline time.Time) bool {
	if !r.line.Take(client) {
		return false
	}
	defer r.line.Give(client)
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case <-change:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

// allowance is a counter of failures and its limit.
type allowance struct {
	key  authn.Key
	most int
}

// allowancesOf returns what limits an attempt. Attempts of a client for
// an account are verified one after the other already, and no other bound holds for
// a client and an account that belong together.
func (l *Limiter) allowancesOf(who Who, pair bound) (all []allowance) {
	add := func(b bound, key authn.Key) {
		if b.applies {
			all = append(all, allowance{key, b.most})
		}
	}
	if who.Account == "" {
		add(pair, pair.key)
	}
	if !l.memory.belong(pair.key) {
		for _, b := range l.wide(who) {
			add(b, l.windowed(b))
		}
	}
	return all
}

// reserve waits until the limits allow another attempt. It returns the refusal
// where the attempt has to wait for longer, and accepted where another one with the
// same credential was good meanwhile.
func (l *Limiter) reserve(ctx context.Context, attempt reserving) (release func(), refusal authn.Outcome, accepted bool) {
	for deadline := time.Now().Add(turnFor); ; {
		if _, accepted := l.memory.accepted(attempt.credential); accepted {
			return nil, authn.Outcome{}, true
		}
		if refusal, refused := refuse(l.blocked(attempt.who, attempt.pair)); refused {
			return nil, refusal, false
		}
		allowances := l.allowancesOf(attempt.who, attempt.pair)
		change, reserved := l.reservations.reserve(allowances)
		if reserved {
			// Others may have failed since the first look: a block is announced before
			// their reservations end.
			if refusal, refused := refuse(l.blocked(attempt.who, attempt.pair)); refused {
				l.reservations.release(allowances)
				return nil, refusal, false
			}
			return func() { l.reservations.release(allowances) }, authn.Outcome{}, false
		}
		if !l.reservations.wait(ctx, attempt.who.Client, change, deadline) {
			return nil, authn.Unavailable(time.Second, errBusy), false
		}
	}
}

// reserving is an attempt that waits for a reservation.
type reserving struct {
	credential authn.Key
	who        Who
	pair       bound
}
