package bearer

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// Verify judges a token: first whether what it says is true, then whether that
// is good for this gate, whether the sender may use it, and at last whether it
// was revoked.
func (b *Bearer) Verify(ctx context.Context, r *authn.Request, credential authn.Credential) authn.Outcome {
	known, outcome := b.find(ctx, r, credential)
	if outcome.Verdict != authn.Accepted {
		return outcome
	}
	nonce, err := b.checkPossession(ctx, r, credential, known.bound())
	if r.Trace.Note("possession", err) != nil {
		return b.refusePossession(err)
	}
	if refused := b.checkRevocation(known, credential.Value); refused != nil {
		_ = r.Trace.Note("revocation", refused.Reason)
		return *refused
	}
	_ = r.Trace.Note("revocation", nil)
	outcome.Nonce = nonce
	return outcome
}

// presented is a token as it came, and the keys of that moment: they are read
// before anything is checked, so that what is found true with old keys does not
// pass for found with new ones.
type presented struct {
	text   string
	place  authn.Location
	digest [sha256.Size]byte
	keys   uint64 // their fingerprint
	trace  *authn.Trace
}

// find recalls a token that was found good before, or has it verified and
// judged. What is known is set for an accepted token only.
func (b *Bearer) find(ctx context.Context, r *authn.Request, credential authn.Credential) (*verified, authn.Outcome) {
	text := credential.Value
	p := presented{text: text, place: credential.Location, digest: digestOf(text), keys: b.keys.Fingerprint(), trace: r.Trace}
	if known := b.recall(p, r); known != nil {
		return known, known.outcome(text)
	}
	if refused, found := b.recallRefusal(p); found {
		return nil, refused
	}
	t, found := b.authenticate(ctx, p, r.Client)
	if t == nil {
		return nil, found
	}
	outcome := b.judge(t, r)
	outcome.Source = found.Source
	if outcome.Verdict != authn.Accepted {
		return nil, outcome
	}
	known, err := newVerified(t, outcome, p.keys)
	if err != nil {
		return nil, authn.Reject(authn.CodeInvalidToken, err)
	}
	if !t.introspected() && r.Trace == nil {
		b.remember(p.digest, known)
	}
	return known, outcome
}

// authenticate makes sure that what a token says is true: by its signature, or
// by asking its issuer. Without a token the outcome says why not.
func (b *Bearer) authenticate(ctx context.Context, p presented, client func() string) (*token, authn.Outcome) {
	if b.remote != nil && len(b.keys) == 0 {
		return b.introspect(ctx, p, client)
	}
	t, err := parse(p.text)
	switch {
	case err != nil && b.remote != nil:
		return b.introspect(ctx, p, client)
	case p.trace.Note("form", err) != nil:
		return nil, b.refuseAgain(p, authn.Skip(authn.CodeInvalidToken, err)) // to another scheme it may be an opaque one
	}
	if err := p.trace.NoteFound("issuer", b.checkIssuer(t), func() string { return "iss " + shown(t.claims["iss"]) }); err != nil {
		return nil, b.refuseAgain(p, authn.Skip(authn.CodeInvalidToken, err))
	}
	if err := p.trace.NoteFound("header", b.checkHeader(t), func() string { return "alg " + t.algorithm }); err != nil {
		return nil, b.refuseAgain(p, b.refuse(err))
	}
	unasked, err := b.keys.check(ctx, p.digest, t, func(keys []*keyset.Key) error { return verifyOnce(p, t, keys) })
	if unasked != nil {
		_ = p.trace.Note("keys", unasked)
	}
	forged := errors.Is(err, errBadSignature)
	if unavailable := (*keyset.UnavailableError)(nil); errors.As(unasked, &unavailable) {
		deferred := authn.Unavailable(unavailable.RetryAfter, unasked)
		if forged { // the keys at hand were tried, and need not be tried again at once
			return nil, b.refuseAgain(p, deferred)
		}
		return nil, deferred
	} else if unasked != nil {
		return nil, authn.Unavailable(0, unasked)
	}
	if err := p.trace.NoteFound("signature", b.diagnose(t, err), t.shownKey); err != nil {
		if forged {
			return nil, b.refuseAgain(p, b.refuse(err))
		}
		return nil, b.refuse(err)
	}
	return t, authn.Outcome{Source: authn.SourceLocal}
}

// flights are the signatures being checked, by token and keys.
var flights singleflight.Group

// verifyOnce checks a signature. Requests that come with the same new token at
// the same time wait for one check: a page that loads asks for many things at
// once.
//
// The keys are those at hand, told apart by where they lie, and not their
// fingerprint: that is zero for all schemes whose keys were not there yet when
// the request began, and what is good by the keys of one is not by those of
// another (RFC 8725 §3.8).
func verifyOnce(p presented, t *token, keys []*keyset.Key) error {
	flight := fmt.Sprintf("%s %p", p.digest[:], keys)
	_, err, _ := flights.Do(flight, func() (any, error) { return nil, t.verify(keys) })
	return err
}

// refuse rejects a token before its signature was found good. Where no issuer
// is configured, nothing else tells whose token it is, so another scheme of
// the gate may look at it.
func (b *Bearer) refuse(reason error) authn.Outcome {
	if b.Issuer == "" {
		return authn.Skip(authn.CodeInvalidToken, reason)
	}
	return authn.Reject(authn.CodeInvalidToken, reason)
}
