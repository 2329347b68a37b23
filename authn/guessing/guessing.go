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
	// Client is where it comes from, see [ClientOf]; empty if that is not
	// known. Then only the account is counted by: all who are not known would
	// wait for each other.
	Client string
	// Account is whom the credential claims to be; empty for nobody. Then the
	// credential itself stands for the account.
	Account string
	// Credential is what is judged.
	Credential string
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
	turns  turns
	logger *zap.Logger
}

// New returns a limiter. The limits are those that [Limits.Check] accepts.
func New(limits Limits, store authn.Store, memory *Memory, logger *zap.Logger) *Limiter {
	return &Limiter{limits: limits.withDefaults(), store: store, memory: memory, logger: logger}
}

// Judge has an attempt judged, unless whoever makes it has to wait: then it
// returns the refusal and true.
//
// Attempts of one client for one account are judged one after the other, so
// that no more can be made at once than one by one. What was good a while ago
// does not stand in line.
func (l *Limiter) Judge(ctx context.Context, attempt Attempt, judge func() Verdict) (refusal authn.Outcome, refused bool) {
	ctx = context.WithoutCancel(ctx) // who hangs up is counted all the same
	pair, credential := l.pair(attempt), l.memory.digest(attempt)
	accepted := l.memory.accepted(credential)
	if !accepted && pair.applies && attempt.Account != "" {
		done, free := l.turns.take(pair.key)
		if !free {
			return authn.Defer(time.Second, errBusy), true
		}
		defer done()
		accepted = l.memory.accepted(credential)
	}
	if after, reason := l.blocked(attempt, pair, accepted); after > 0 {
		return authn.Outcome{Verdict: authn.Rejected, Code: authn.CodeTooManyAttempts, Reason: reason, RetryAfter: after}, true
	}
	switch verdict := judge(); {
	case accepted:
		// A password that was good is no guess where it is not: it belongs to
		// another realm (RFC 7617 §2.2), or was changed.
	case verdict == Wrong:
		l.failed(ctx, attempt, pair)
	case verdict == Good:
		l.succeeded(ctx, pair, credential)
	}
	return authn.Outcome{}, false
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

// pair is the bound of one client for one account.
func (l *Limiter) pair(a Attempt) bound {
	b := bound{applies: a.Client != "", most: l.limits.Limit, reason: errPair}
	if a.Account != "" {
		b.key = authn.KeyOf("guessing: client and account", a.Client, a.Account)
	} else {
		b.key = authn.KeyOf("guessing: client and credential", a.Client, a.Credential)
	}
	return b
}

// wide are the bounds of one client for all accounts, and of all clients for
// one account. They do not hold for a client and an account that belong
// together: nobody can lock them out by guessing from elsewhere, nor from the
// same address for other accounts.
func (l *Limiter) wide(a Attempt) [2]bound {
	return [...]bound{
		{applies: a.Client != "", key: authn.KeyOf("guessing: client", a.Client), most: l.limits.PerClient, reason: errClient},
		{applies: a.Account != "", key: authn.KeyOf("guessing: account", a.Account), most: l.limits.PerAccount, reason: errAccount},
	}
}

// blocked returns how long an attempt has to wait, and for which bound.
func (l *Limiter) blocked(a Attempt, pair bound, accepted bool) (after time.Duration, reason error) {
	after, reason = l.remaining(pair)
	if accepted || l.memory.belong(pair.key) {
		return after, reason
	}
	for _, b := range l.wide(a) {
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
	mark, found := l.store.Marked(authn.MarkBlocked, b.key)
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
func (l *Limiter) failed(ctx context.Context, a Attempt, pair bound) {
	l.count(ctx, pair, pair.key)
	window := windowAt(time.Now(), time.Duration(l.limits.Forget))
	for _, b := range l.wide(a) {
		l.count(ctx, b, authn.KeyOf("guessing: window", string(b.key[:]), window))
	}
}

func (l *Limiter) count(ctx context.Context, b bound, counter authn.Key) {
	if !b.applies {
		return
	}
	failures := l.store.Count(ctx, counter, time.Duration(l.limits.Forget))
	if failures < b.most {
		return
	}
	until := time.Now().Add(l.limits.waitAfter(failures - b.most))
	if err := l.store.Announce(ctx, authn.Mark{Kind: authn.MarkBlocked, Key: b.key, Until: until}); err != nil {
		l.logger.Warn("other instances may not hear of a block", zap.Error(err))
	}
}

// succeeded remembers that a client and an account belong together. The
// counter begins anew, but not with every success: a guesser who shares an
// address with the holder of the password would never have to wait.
func (l *Limiter) succeeded(ctx context.Context, pair bound, credential authn.Key) {
	if pair.applies && l.memory.join(pair.key, time.Duration(l.limits.Forget)) {
		l.store.Reset(ctx, pair.key)
	}
	l.memory.accept(credential)
}
