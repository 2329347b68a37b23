// Package bruteforce throttles failed logins: passwords and API keys that a
// client tries.
//
// A [Guard] counts failures by client and account, by client, and by account; see
// [Limits]. A blocked client gets 429 before verification, even with the correct
// password. Otherwise the answer would confirm a guess, and each guess would cost a
// hash. A limit is the same whether the account exists or not, so that it discloses no
// account.
//
// Counters and blocks are in the [store.Store], which instances may share. The
// attempts in flight and successful logins are in the memory of the process, see
// [Memory].
package bruteforce

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/internal/keyedhash"
	"github.com/excorp/caddy-require-auth/store"
)

// Attempt is a credential to verify.
type Attempt struct {
	// Address is the client's address.
	Address string
	// Credential is the credential as the client sent it.
	Credential string
	// Subject returns the client and the account. It is not called for a
	// credential that succeeded recently.
	Subject func() Subject
}

// Subject is the client and the account of an attempt.
type Subject struct {
	// Client is the result of [clientaddress.Network]. If it is empty, only the account
	// is limited: all unknown clients would block each other.
	Client string
	// Account is the account that the credential claims. If it is empty, the
	// credential itself takes its place.
	Account string
}

// Result is the result of a verification.
type Result uint8

// The results of a verification. An ignored one, such as that of a verification
// that was not possible, is not counted.
const (
	Ignored Result = iota
	Failure
	Success
)

// Guard counts failed attempts and refuses clients that have too many.
type Guard struct {
	limits   Limits
	store    store.Store
	memory   *Memory
	inFlight *inFlight
	logger   *zap.Logger
}

// New returns a guard. The limits have passed [Limits.Check].
func New(limits Limits, store store.Store, memory *Memory, logger *zap.Logger) *Guard {
	return &Guard{limits: limits.withDefaults(), store: store, memory: memory, inFlight: newInFlight(), logger: logger}
}

// Allow verifies an attempt, unless its client must wait: then it returns the
// refusal and true.
//
// Attempts of one client for one account are verified one after the other. Of one
// client, and for one account, no more attempts are in flight than may still fail;
// the others wait for their results. A credential that succeeded recently does not
// wait.
func (g *Guard) Allow(ctx context.Context, attempt Attempt, verify func() Result) (refusal authn.Outcome, refused bool) {
	credential := keyedhash.OfList(attempt.Address, attempt.Credential)
	if refusal, refused, good := g.allowGood(ctx, credential, verify); good {
		return refusal, refused
	}
	subject := attempt.Subject()
	pair := pairOf(subject, attempt.Credential)
	bounds := g.boundsOf(subject, pair)

	deadline := time.Now().Add(fairness.AttemptTimeout)
	for i := 0; ; i++ {
		active := g.boundsFor(bounds)
		if refusal, refused := refuse(g.longestBlock(active)); refused {
			return refusal, true
		}
		if i >= len(active) {
			break
		}
		release, acquired := g.inFlight.acquire(ctx, subject.Client, active[i].key, time.Until(deadline), func() int { return g.room(active[i]) })
		if !acquired {
			return authn.Unavailable(time.Second, errBusy), true
		}
		defer release()
		if refusal, refused, good := g.allowGood(ctx, credential, verify); good {
			return refusal, refused
		}
	}
	ctx = context.WithoutCancel(ctx) // a client that hangs up is counted as well
	switch verify() {
	case Failure:
		g.recordFailure(ctx, bounds)
	case Success:
		g.recordSuccess(ctx, pair, credential)
	case Ignored:
	}
	return authn.Outcome{}, false
}

// allowGood verifies a credential that succeeded recently. If it fails now, it
// belongs to another realm (RFC 7617 §2.2) or was changed, which is no guess. Only
// its own client and account can block it.
func (g *Guard) allowGood(ctx context.Context, credential keyedhash.Digest, verify func() Result) (refusal authn.Outcome, refused, good bool) {
	pair, good := g.memory.goodCredential(credential)
	if !good {
		return authn.Outcome{}, false, false
	}
	if refusal, refused = refuse(g.longestBlock([]bound{g.pairBound(pair, false)})); refused {
		return refusal, true, true
	}
	if verify() == Success && g.memory.isResetDue(pair, time.Duration(g.limits.Forget)) {
		g.resetPair(context.WithoutCancel(ctx), pair)
	}
	return refusal, false, true
}

// refuse refuses an attempt for a time; zero does not refuse it.
func refuse(after time.Duration, reason error) (authn.Outcome, bool) {
	if after <= 0 {
		return authn.Outcome{}, false
	}
	return authn.Outcome{Verdict: authn.Rejected, Code: authn.CodeTooManyAttempts, Reason: reason, RetryAfter: after}, true
}

// The reasons of a refusal. They contain no name, because a user may type a
// password into the field for the name.
var (
	errPair    = errors.New("too many failures of this client for this account or key")
	errClient  = errors.New("too many failures of this client")
	errAccount = errors.New("too many failures for this account, of all clients together")
	errBusy    = errors.New("too many attempts of this client or for this account at once")
)

// bound is a limit of failures.
type bound struct {
	key    store.Key
	limit  int
	reason error
	// serial allows one attempt in flight.
	serial bool
	// windowed counts failures within a fixed time. All clients together add to the
	// counter of an account, so it would otherwise never end.
	windowed bool
}

// pairOf is the key of a client and its account, or its credential. It is zero
// for an unknown client.
func pairOf(subject Subject, credential string) (pair store.Key) {
	switch {
	case subject.Client == "":
		return pair
	case subject.Account == "":
		return store.KeyOf("bruteforce: client and credential", subject.Client, credential)
	default:
		return store.KeyOf("bruteforce: client and account", subject.Client, subject.Account)
	}
}

// boundsOf returns the bounds of an attempt in the order in which it waits for
// them: the pair, the client, the account. The order is the same for all
// attempts, so that none waits for another in a circle.
func (g *Guard) boundsOf(subject Subject, pair store.Key) []bound {
	bounds := make([]bound, 0, 3)
	if pair != (store.Key{}) {
		bounds = append(bounds, g.pairBound(pair, subject.Account != ""))
	}
	if subject.Client != "" && subject.Client != clientaddress.SubRequests {
		bounds = append(bounds, bound{key: store.KeyOf("bruteforce: client", subject.Client), limit: g.limits.PerClient, reason: errClient, windowed: true})
	}
	if subject.Account != "" {
		bounds = append(bounds, bound{key: store.KeyOf("bruteforce: account", subject.Account), limit: g.limits.PerAccount, reason: errAccount, windowed: true})
	}
	return bounds
}

func (g *Guard) pairBound(pair store.Key, serial bool) bound {
	return bound{key: pair, limit: g.limits.Limit, reason: errPair, serial: serial}
}

// boundsFor returns the bounds that can refuse an attempt. For a known pair that
// is its own: guesses from elsewhere, or for other accounts, do not lock it out.
func (g *Guard) boundsFor(bounds []bound) []bound {
	if len(bounds) > 0 && g.memory.knownPair(bounds[0].key) {
		return bounds[:1]
	}
	return bounds
}

// longestBlock returns how long an attempt must wait, and the reason of the longest
// block.
func (g *Guard) longestBlock(bounds []bound) (after time.Duration, reason error) {
	for _, b := range bounds {
		if entry, found := g.store.Lookup(store.EntryBlocked, b.key); found && time.Until(entry.Until) > after {
			after, reason = time.Until(entry.Until), b.reason
		}
	}
	return after, reason
}

// room returns how many attempts of a bound may be in flight.
func (g *Guard) room(b bound) int {
	if b.serial {
		return 1
	}
	return g.memory.room(g.counterOf(b), b.limit)
}

// counterOf returns the key of the counter of a bound.
func (g *Guard) counterOf(b bound) store.Key {
	if !b.windowed {
		return b.key
	}
	return store.KeyOf("bruteforce: window", string(b.key[:]), windowAt(time.Now(), time.Duration(g.limits.Forget)))
}

// recordFailure counts a failure for each bound, and blocks those that are exceeded.
func (g *Guard) recordFailure(ctx context.Context, bounds []bound) {
	for _, b := range bounds {
		counter := g.counterOf(b)
		failures := g.store.Count(ctx, counter, time.Duration(g.limits.Forget))
		g.memory.noteFailures(counter, failures)
		if failures < b.limit {
			continue
		}
		until := time.Now().Add(g.limits.waitAfter(failures - b.limit))
		if err := g.store.Publish(ctx, store.Entry{Kind: store.EntryBlocked, Key: b.key, Until: until}); err != nil {
			g.logger.Warn("other instances may not receive a block", zap.Error(err))
		}
	}
}

// recordSuccess remembers the pair and the credential.
func (g *Guard) recordSuccess(ctx context.Context, pair store.Key, credential keyedhash.Digest) {
	g.resetPair(ctx, pair)
	g.memory.addGoodCredential(credential, pair)
}

// resetPair remembers the pair and resets its counter, but not with every success. A
// client that shares the address of the account's owner could otherwise guess forever.
func (g *Guard) resetPair(ctx context.Context, pair store.Key) {
	if pair != (store.Key{}) && g.memory.addPair(pair, time.Duration(g.limits.Forget)) {
		g.store.Reset(ctx, pair)
		g.memory.failures.Invalidate(pair)
	}
}
