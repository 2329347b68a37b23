// Package authn answers one question: who is calling?
//
// A [Scheme] finds its credential in a request and judges it. What it says is
// an [Outcome]; an accepted one carries an [Identity]. What the identity may
// do is not decided here but in package authz.
//
// Other plugins add schemes by registering modules in the namespace
// auth.schemes that implement Scheme; this package is all they need to import.
package authn

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/claimpath"
)

// Namespace is where Caddy finds the modules that implement [Scheme].
const Namespace = "auth.schemes"

// Scheme is one way for a caller to say who they are.
//
// A scheme is used by many requests at once. It writes nothing to the client:
// the gate asks it, decides, and answers for all schemes together.
type Scheme interface {
	// Find looks for this scheme's credential and verifies nothing. It returns
	// the zero Credential where there is none. An error means that the request
	// is ambiguous, such as a token in two places, and is answered 400.
	Find(*Request) (Credential, error)

	// Verify judges a credential that Find returned for the same request.
	Verify(context.Context, *Request, Credential) Outcome

	// Challenges says how to authenticate here, one value for each field line
	// of WWW-Authenticate. A 401 needs at least one; for any other status a
	// scheme that has nothing to add returns none.
	Challenges(ChallengeParams) []Challenge
}

// ChallengeParams is what the gate wants said in a challenge.
type ChallengeParams struct {
	// Code is why the request was refused, if this scheme's credential was the
	// cause; CodeMissing for a scheme whose credential was not presented.
	Code Code

	// Realm is the default realm; empty sends none.
	Realm string

	// Scope is what the gate requires, for OAuth challenges.
	Scope []string

	// Presented is the authentication scheme, such as Bearer or DPoP, of the
	// credential that was refused; empty where none was presented to this
	// scheme. What was wrong is said in the challenge for that one.
	Presented string

	// ResourceMetadata is the URL of the metadata of the protected resource
	// (RFC 9728 §5.1); empty for none.
	ResourceMetadata string

	// ACRValues and MaxAge are the login that is required. They are set only
	// for CodeInsufficientSession, because who is not known need not learn it
	// (RFC 9470 §9).
	ACRValues []string
	MaxAge    time.Duration
}

// Verdict is the kind of an [Outcome].
type Verdict uint8

// The verdicts. The zero value refuses, so that a forgotten return denies.
const (
	// Rejected: the credential is this scheme's and is not good.
	Rejected Verdict = iota
	// Foreign: the credential is well formed but belongs to somebody else, for
	// example a token of another issuer. Another scheme of the gate may claim
	// it; if none does it counts as rejected.
	NotApplicable
	// Unavailable: what is needed to judge cannot be had just now.
	TemporarilyUnavailable
	// Accepted: the caller is known.
	Accepted
)

// Outcome is what a scheme says about a credential.
type Outcome struct {
	Verdict Verdict

	// Identity is set exactly when the verdict is Accepted.
	Identity *Identity

	// Code is what the client is told.
	Code Code

	// Reason is what the log is told: the exact cause, with no part of the
	// credential. It never reaches the client.
	Reason error

	// Check is the check that failed, by its name in the trace. It is empty if the
	// scheme has no names for its checks.
	Check string

	// RetryAfter is when to ask again, for Unavailable. Zero leaves it to the gate.
	RetryAfter time.Duration

	// Source is where the answer came from.
	Source Source

	// Progress is how many checks the credential passed before it was refused. Of
	// several refusals the gate reports the one with the most.
	Progress int

	// Nonce is sent to the client in the field DPoP-Nonce, whatever the
	// verdict; empty for none (RFC 9449 §8).
	Nonce string
}

// Source tells where a verification was answered.
type Source string

// The sources of an outcome.
const (
	SourceLocal  Source = "local"
	SourceCache  Source = "cache"
	SourceRemote Source = "remote"
)

// Accept is the outcome for a caller who is known.
func Accept(identity *Identity, source Source) Outcome {
	return Outcome{Verdict: Accepted, Identity: identity, Source: source}
}

// Reject is the outcome for a credential that is not good.
func Reject(code Code, reason error) Outcome {
	return Outcome{Verdict: Rejected, Code: code, Reason: reason, Source: SourceLocal}
}

// Skip is the outcome for a credential that may belong to another scheme.
func Skip(code Code, reason error) Outcome {
	return Outcome{Verdict: NotApplicable, Code: code, Reason: reason, Source: SourceLocal}
}

// Unavailable is the outcome where nothing can be said before after has passed.
func Unavailable(after time.Duration, reason error) Outcome {
	return Outcome{Verdict: TemporarilyUnavailable, Code: CodeUnavailable, Reason: reason, RetryAfter: after, Source: SourceRemote}
}

// Unauthenticated reports whether the answer is that the caller is not known,
// so that every scheme has to say how to become known.
func (a ChallengeParams) Unauthenticated() bool {
	switch a.Code {
	case CodeMissing, CodeInvalidToken, CodeExpiredToken, CodeRevokedToken, CodeInvalidCredentials,
		CodeInsufficientSession, CodeInvalidProof, CodeUseNonce:
		return true
	default:
		return false
	}
}

// DefaultRealm is the realm where none is configured.
const DefaultRealm = "api"

// RealmFor returns the realm to send, given the realm of the scheme. The realm `off`
// sends none.
func (a ChallengeParams) RealmFor(own string) string {
	switch realm := cmp.Or(own, a.Realm); realm {
	case "off":
		return ""
	default:
		return realm
	}
}

// Identity is a caller who is known. It is immutable: caches and requests
// share it.
type Identity struct {
	// ID is the user's name within the issuer, or the scheme. A token without
	// a subject has none, and so has one that a client got for itself.
	ID string

	// Client is the OAuth client that the credential was issued to, if known.
	Client string

	// Issuer is who vouches for the caller: the `iss` of a token, or the issuer
	// that was asked about one if the answer has none; else empty.
	Issuer string

	// Scopes and Roles are what the credential grants, as granted: what a
	// scope implies is applied where it is asked for.
	Scopes []string
	Roles  []string

	// Claims is everything verified about the caller; nil for nothing.
	Claims *Claims

	// Expires is when the credential ends; zero for never.
	Expires time.Time
}

// Claim finds a claim by its path, such as `realm_access.roles`.
func (i *Identity) Claim(path string) (any, bool) {
	return claimpath.Lookup(i.Claims.All(), path)
}

// Claims is everything verified about a caller. Many requests ask for none of
// it, so it can be decoded when it is asked for, out of verified bytes.
type Claims struct {
	decode  func(text string) map[string]any
	text    string
	once    sync.Once
	members map[string]any
}

// ClaimsOf makes claims of a map, which must not change any more.
func ClaimsOf(members map[string]any) *Claims { return &Claims{members: members} }

// DecodeLater has the claims decoded out of a text when somebody asks.
func (c *Claims) DecodeLater(text string, decode func(text string) map[string]any) {
	c.text, c.decode = text, decode
}

// All returns the claims. The map must not be changed.
func (c *Claims) All() map[string]any {
	if c == nil {
		return nil
	}
	if c.decode != nil {
		c.once.Do(func() { c.members = c.decode(c.text) })
	}
	return c.members
}
