package securityevents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/store"
)

// The results of an event.
const (
	accepted    = "accepted"
	ignored     = "ignored"
	duplicate   = "duplicate"
	refused     = "refused"
	unavailable = "unavailable"
)

// handle verifies an event and acts on it. It returns the result, and why an event was
// ignored, refused, could not be handled or is not remembered.
func (t *Transmitter) handle(ctx context.Context, s *set) (result string, reason error) {
	if err := t.verify(ctx, s); err != nil {
		return resultOf(err), err
	}
	if err := s.readClaims(t.Audiences, t.now()); err != nil {
		return refused, err
	}
	if t.isHandled(ctx, s) {
		return duplicate, nil
	}
	result, err := t.act(ctx, s)
	switch {
	case result == accepted && revoking[s.event] != "":
		err = t.remember(ctx, s)
	case result == accepted || result == ignored:
		t.handled.Set(s.key, struct{}{})
	}
	return result, err
}

// keepHandled is how long the store remembers an event. Transmitters give up earlier.
const keepHandled = 24 * time.Hour

// isHandled reports whether this or another instance has handled an event. If the store
// cannot know, the event counts as new: to revoke once more is the safe side.
func (t *Transmitter) isHandled(ctx context.Context, s *set) bool {
	if _, handled := t.handled.GetIfPresent(s.key); handled {
		return true
	}
	if revoking[s.event] == "" {
		return false // it changes nothing, so the store does not remember it
	}
	handled, err := t.sink.Store.Used(ctx, t.handledOwner(), s.key)
	return handled && err == nil
}

// remember lets all instances know an event whose revocations are published. It must not
// be earlier: the transmitter sends an event again that could not be published. After an
// error the event stays accepted, and another instance applies it once more.
func (t *Transmitter) remember(ctx context.Context, s *set) error {
	t.handled.Set(s.key, struct{}{})
	if _, err := t.sink.Store.First(ctx, t.handledOwner(), s.key, t.now().Add(keepHandled)); err != nil {
		return fmt.Errorf("other instances may apply the event again: %w", err)
	}
	return nil
}

// handledOwner owns the handled events of a transmitter in the store.
func (t *Transmitter) handledOwner() store.Key { return store.KeyOf("security events", t.Issuer) }

// resultOf is the result of an error.
func resultOf(err error) string {
	if _, ok := errors.AsType[refusal](err); ok {
		return refused
	}
	return unavailable
}

// verify checks the signature by the keys of the transmitter.
func (t *Transmitter) verify(ctx context.Context, s *set) error {
	keys, err := t.keys.Find(ctx, keyset.Query{Token: s.digest, KeyID: s.kid, Algorithm: s.algorithm})
	for _, key := range keys {
		if key.Allows(s.algorithm) && s.signed.Verify(s.algorithm, key.Public) == nil {
			return nil
		}
	}
	switch {
	case err != nil:
		return err
	case len(keys) == 0:
		return refuse(invalidKey, "no key of the transmitter fits kid and alg")
	}
	return refuse(invalidKey, "the signature fits no key of the transmitter")
}

// act does what an event asks for.
func (t *Transmitter) act(ctx context.Context, s *set) (result string, reason error) {
	switch {
	case ofStream[s.event] == verification:
		return t.verifyState(ctx, s)
	case ofStream[s.event] == streamUpdated:
		return accepted, nil
	case revoking[s.event] == "":
		return ignored, errors.New("an event of this type revokes nothing")
	}
	named, err := t.subjects.read(s.subject)
	switch {
	case err != nil:
		return refused, err
	case len(named) == 0:
		return ignored, errors.New("the subject names no user, session or token")
	}
	return t.revoke(ctx, named, s.before())
}

// revoke publishes revocations of what was issued before an instant. They end by that
// instant too, so that an event that arrives again changes nothing.
func (t *Transmitter) revoke(ctx context.Context, named []store.Revocation, before time.Time) (result string, reason error) {
	now := t.now()
	for _, revocation := range named {
		revocation.Before, revocation.Until = before, before.Add(store.KeepRevocation)
		if !revocation.Until.After(now) {
			return ignored, errTooOld
		}
		entry, err := revocation.Entry(now)
		if err != nil {
			return refused, refusal{invalidRequest, err}
		}
		// Also if this instance has the entry: the last attempt may not have reached the store.
		if err := t.sink.Store.Publish(ctx, entry); err != nil {
			return unavailable, err
		}
		t.sink.Published(entry)
	}
	return accepted, nil
}
