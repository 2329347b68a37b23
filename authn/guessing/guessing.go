// Package guessing makes those wait who try passwords and keys.
//
// Failures are counted by client and account, by client, and by account; see
// [Limits] for what follows. Nothing here depends on whether an account
// exists, so that nobody learns that from a limit. Who has to wait is answered
// before anything is verified: also with the right password, because otherwise
// guessing would go on, and without the cost of a hash.
//
// Counters and blocks are kept in the [authn.Store], which several instances
// may share. What is good is remembered in the process, see [Memory].
package guessing

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
)

// Attempt is a credential that is about to be judged.
type Attempt struct {
	// Address is where it comes from.
	Address string
	// Credential is what is judged.
	Credential string
	// Who tells what failures are counted by. It is not asked about what was
	// good a while ago.
	Who func() Who
}

// Who is behind an attempt.
type Who struct {
	// Client is what [authn.ClientOf] makes of the address; empty if that is not
	// known. Then only the account is counted by: all who are not known would
	// wait for each other.
	Client string
	// Account is whom the credential claims to be; empty for nobody. Then the
	// credential itself stands for the account.
	Account string
}

// Verdict is what was found about an attempt.
type Verdict uint8

// The verdicts. What is neither is not counted: nobody could say.
const (
	Neither Verdict = iota
	Wrong
	Good
)

// Limiter counts failures and turns away who has too many.
type Limiter struct {
	limits Limits
	store  authn.Store
	memory *Memory
	turns  *turns
	logger *zap.Logger

	reservations *reservations
}

// New returns a limiter. The limits are those that [Limits.Check] accepts.
func New(limits Limits, store authn.Store, memory *Memory, logger *zap.Logger) *Limiter {
	return &Limiter{
		limits: limits.withDefaults(), store: store, memory: memory, turns: newTurns(), logger: logger,
		reservations: newReservations(memory),
	}
}

// Judge has an attempt judged, unless whoever makes it has to wait: then it
// returns the refusal and true.
//
// Attempts of one client for one account are judged one after the other. Of those
// of one client, and of those for one account, no more are in flight than may fail:
// the others wait until it is known what came of them. What was good a while ago
// does not wait.
func (l *Limiter) Judge(ctx context.Context, attempt Attempt, judge func() Verdict) (refusal authn.Outcome, refused bool) {
	credential := l.memory.digest(attempt)
	if refusal, refused, accepted := l.judgeAccepted(credential, judge); accepted {
		return refusal, refused
	}
	who := attempt.Who()
	pair := l.pair(who, attempt.Credential)
	if pair.applies && who.Account != "" {
		done, free := l.turns.take(ctx, pair.key, who.Client)
		if !free {
			return authn.Unavailable(time.Second, errBusy), true
		}
		defer done()
		if refusal, refused, accepted := l.judgeAccepted(credential, judge); accepted {
			return refusal, refused
		}
	}
	release, refusal, accepted := l.reserve(ctx, reserving{credential, who, pair})
	if accepted {
		refusal, refused, _ := l.judgeAccepted(credential, judge)
		return refusal, refused
	}
	if release == nil {
		return refusal, true
	}
	defer release()
	ctx = context.WithoutCancel(ctx) // who hangs up is counted all the same
	switch judge() {
	case Wrong:
		l.failed(ctx, who, pair)
	case Good:
		l.succeeded(ctx, pair, credential)
	}
	return authn.Outcome{}, false
}

// judgeAccepted has a credential judged that was good a while ago. It is no
// guess where it is not good: it belongs to another realm (RFC 7617 §2.2), or
// was changed. It waits for its own client and account only.
func (l *Limiter) judgeAccepted(credential authn.Key, judge func() Verdict) (refusal authn.Outcome, refused, accepted bool) {
	pair, accepted := l.memory.accepted(credential)
	if !accepted {
		return authn.Outcome{}, false, false
	}
	if refusal, refused = refuse(l.remaining(l.pairOf(pair))); !refused {
		judge()
	}
	return refusal, refused, true
}

// refuse turns away an attempt that has to wait.
func refuse(after time.Duration, reason error) (authn.Outcome, bool) {
	if after <= 0 {
		return authn.Outcome{}, false
	}
	return authn.Outcome{Verdict: authn.Rejected, Code: authn.CodeTooManyAttempts, Reason: reason, RetryAfter: after}, true
}

// bound is something that failures are counted by.
type bound struct {
	applies bool
	key     authn.Key
	most    int
	reason  error
}

// The reasons for a refusal. They name nobody: people type passwords into the
// field for the name.
var (
	errPair    = errors.New("too many failures of this client for this account or key")
	errClient  = errors.New("too many failures of this client")
	errAccount = errors.New("too many failures for this account, of all clients together")
	errBusy    = errors.New("too many attempts of this client for this account at once")
)

// pair is the bound of one client for one account; without a client it is
// none.
func (l *Limiter) pair(who Who, credential string) bound {
	switch {
	case who.Client == "":
		return bound{}
	case who.Account == "":
		return l.pairOf(authn.KeyOf("guessing: client and credential", who.Client, credential))
	default:
		return l.pairOf(authn.KeyOf("guessing: client and account", who.Client, who.Account))
	}
}

func (l *Limiter) pairOf(key authn.Key) bound {
	return bound{applies: key != authn.Key{}, key: key, most: l.limits.Limit, reason: errPair}
}

// wide are the bounds of one client for all accounts, and of all clients for
// one account. They do not hold for a client and an account that belong
// together: nobody can lock them out by guessing from elsewhere, nor from the
// same address for other accounts.
func (l *Limiter) wide(who Who) [2]bound {
	return [...]bound{
		{applies: who.Client != "" && who.Client != authn.SubRequests, key: authn.KeyOf("guessing: client", who.Client), most: l.limits.PerClient, reason: errClient},
		{applies: who.Account != "", key: authn.KeyOf("guessing: account", who.Account), most: l.limits.PerAccount, reason: errAccount},
	}
}

// blocked returns how long an attempt has to wait, and for which bound.
func (l *Limiter) blocked(who Who, pair bound) (after time.Duration, reason error) {
	after, reason = l.remaining(pair)
	if l.memory.belong(pair.key) {
		return after, reason
	}
	for _, b := range l.wide(who) {
		if longer, why := l.remaining(b); longer > after {
			after, reason = longer, why
		}
	}
	return after, reason
}

func (l *Limiter) remaining(b bound) (time.Duration, error) {
	if !b.applies {
		return 0, nil
	}
	mark, found := l.store.Lookup(authn.EntryBlocked, b.key)
	if !found {
		return 0, nil
	}
	return time.Until(mark.Until), b.reason
}

// failed counts a failure by every bound.
//
// The counter of the pair begins anew when it is left alone, or by a success.
// The others count within a fixed time, however many clients add to them:
// otherwise the failures of many honest people would add up for ever.
func (l *Limiter) failed(ctx context.Context, who Who, pair bound) {
	l.count(ctx, pair, pair.key)
	for _, b := range l.wide(who) {
		l.count(ctx, b, l.windowed(b))
	}
}

// windowed is the counter of a bound within the present time.
func (l *Limiter) windowed(b bound) authn.Key {
	return authn.KeyOf("guessing: window", string(b.key[:]), windowAt(time.Now(), time.Duration(l.limits.Forget)))
}

func (l *Limiter) count(ctx context.Context, b bound, counter authn.Key) {
	if !b.applies {
		return
	}
	failures := l.store.Count(ctx, counter, time.Duration(l.limits.Forget))
	l.memory.failures.Set(counter, failures)
	if failures < b.most {
		return
	}
	until := time.Now().Add(l.limits.waitAfter(failures - b.most))
	if err := l.store.Publish(ctx, authn.Entry{Kind: authn.EntryBlocked, Key: b.key, Until: until}); err != nil {
		l.logger.Warn("other instances may not hear of a block", zap.Error(err))
	}
}

// succeeded remembers that a client and an account belong together. The
// counter begins anew, but not with every success: a guesser who shares an
// address with the holder of the password would never have to wait.
func (l *Limiter) succeeded(ctx context.Context, pair bound, credential authn.Key) {
	if pair.applies && l.memory.join(pair.key, time.Duration(l.limits.Forget)) {
		l.store.Reset(ctx, pair.key)
		l.memory.failures.Invalidate(pair.key)
	}
	l.memory.accept(credential, pair.key)
}
