package bearer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
)

// checks are what a token must pass, in this order. `explain` and the log have their
// names. Expiry is last: only a token that is otherwise valid is answered as expired.
var checks = []struct {
	name  string
	form  form
	check func(*Bearer, *verification) error
	found func(*verification) string // what `explain` shows beside the result
}{
	{"format", anyForm, (*Bearer).checkFormat, nil},
	{"issuer", signed, (*Bearer).checkIssuer, func(v *verification) string { return "iss " + shorten(v.early("iss")) }},
	{"header", signed, (*Bearer).checkHeader, func(v *verification) string { return "alg " + v.algorithm }},
	{"signature", signed, (*Bearer).checkSignature, (*verification).foundKey},
	{"introspection", opaque, (*Bearer).checkIntrospection, func(v *verification) string { return fmt.Sprintf("active %t", v.claims != nil) }},
	{"audience", anyForm, (*Bearer).checkAudience, func(v *verification) string { return "aud " + shorten(v.claims["aud"]) }},
	{"token_type", anyForm, (*Bearer).checkTokenType, nil},
	{"profile", signed, (*Bearer).checkProfile, nil},
	{"not_before", anyForm, (*Bearer).checkNotBefore, nil},
	{"identity", anyForm, (*Bearer).identify, nil},
	{"expiry", anyForm, (*Bearer).checkExpiry, func(v *verification) string { return "exp " + v.identity.Expires.UTC().Format(time.RFC3339) }},
}

// form says which tokens a check is for: signed ones, or opaque ones, which only
// the introspection endpoint can read.
type form int

const (
	anyForm form = iota
	signed
	opaque
)

// verification is a token on its way through the checks.
type verification struct {
	*authn.Request
	ctx        context.Context
	credential authn.Credential
	key        cacheKey
	keys       uint64 // the fingerprint of the keys when the checks began

	// The checks set these.
	*token
	source   authn.Source
	audience string // that of the gate, if the token is good only there
	bound    confirmation
	identity *authn.Identity
}

// runChecks runs the checks. It stops at the first error.
func (b *Bearer) runChecks(ctx context.Context, r *authn.Request, credential authn.Credential, key cacheKey, keys uint64) (*cachedToken, authn.Outcome) {
	v := &verification{Request: r, ctx: ctx, credential: credential, key: key, keys: keys, source: authn.SourceLocal}
	for step := range checks {
		check := &checks[step]
		if check.form == signed && v.introspected() || check.form == opaque && !v.introspected() {
			continue
		}
		err := check.check(b, v)
		found := func() string {
			if check.found == nil {
				return ""
			}
			return check.found(v)
		}
		if r.Trace.NoteFound(check.name, err, found) != nil {
			return nil, b.refuse(v, step, err)
		}
	}
	entry := b.newCachedToken(v)
	if !v.introspected() {
		b.remember(v, entry)
	}
	return entry, authn.Accept(v.identity, v.source)
}

// undecidedError is the error of a check that could not decide.
type undecidedError struct {
	error
	tried bool // with the present keys, so a repeated token need not be tried at once
}

func (u undecidedError) Unwrap() error { return u.error }

// expiredError is the error for a token that was valid before.
type expiredError struct{ *mismatch.ValueError }

func (e expiredError) Unwrap() error { return e.ValueError }

// refuse returns the outcome of a check that failed. Another scheme of the gate may
// accept a token that this scheme cannot read, or that belongs to another issuer.
// Without a configured issuer only the signature shows whose token it is.
func (b *Bearer) refuse(v *verification, step int, err error) authn.Outcome {
	check := &checks[step]
	outcome := authn.Reject(authn.CodeInvalidToken, err)
	outcome.Source = v.source
	undecided, isUndecided := errors.AsType[undecidedError](err)
	if isUndecided {
		outcome = authn.Unavailable(0, err)
		if unavailable, ok := errors.AsType[*idp.UnavailableError](err); ok {
			outcome.RetryAfter = unavailable.RetryAfter
		}
	} else if _, expired := errors.AsType[expiredError](err); expired {
		outcome.Code = authn.CodeExpiredToken
	} else if errors.Is(err, authn.ErrTooLarge) {
		outcome.Code = authn.CodeInvalidRequest
	} else if check.form == opaque || check.name == "format" || check.name == "issuer" || check.form == signed && b.Issuer == "" {
		outcome.Verdict = authn.NotApplicable
	}
	outcome.Check, outcome.Progress = check.name, step
	ofText := b.remote == nil && check.name == "format" || check.form == signed && check.name != "profile"
	if ofText && isUndecided == undecided.tried && !errors.Is(err, errNoKey) {
		b.rememberRefusal(v, outcome)
	}
	return outcome
}
