// Package authn identifies the caller of a request.
//
// A [Scheme] finds its credential in a request and verifies it. The result is an
// [Outcome]. An accepted one has an [Identity]. Package authz decides what the identity
// may do.
//
// Other plugins add schemes by registering modules in the namespace auth.schemes that
// implement Scheme. This package is all they need to import.
package authn

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/claimpath"
)

// Namespace is the namespace of the modules that implement [Scheme].
const Namespace = "auth.schemes"

// Scheme is one way to authenticate a caller.
//
// Many requests use a scheme at once. It writes nothing to the client: the gate calls
// it, decides, and answers for all schemes together.
type Scheme interface {
	// Find looks for this scheme's credential and verifies nothing. Without a
	// credential it returns the zero Credential. An error means that the request is
	// ambiguous, such as one with a token in two places. The answer is then 400.
	Find(*Request) (Credential, error)

	// Verify verifies a credential that Find returned for the same request.
	Verify(context.Context, *Request, Credential) Outcome

	// Challenges says how to authenticate, one value for each field line of
	// WWW-Authenticate. A 401 needs at least one. For another status a scheme may
	// return none.
	Challenges(ChallengeParams) []Challenge
}

// ChallengeParams are the parts of a challenge that the gate decides.
type ChallengeParams struct {
	// Code is the reason of the refusal, if this scheme's credential was the cause. It
	// is CodeMissing for a scheme whose credential was not presented.
	Code Code

	// Realm is the default realm. Empty: no realm.
	Realm string

	// Scope is what the gate requires, for OAuth challenges.
	Scope []string

	// Presented is the authentication scheme of the refused credential, such as Bearer
	// or DPoP. The error belongs into the challenge of that one. It is empty if this
	// scheme got no credential.
	Presented string

	// ResourceMetadata is the URL of the metadata of the protected resource (RFC 9728
	// §5.1). Empty: the gate has none.
	ResourceMetadata string

	// ACRValues and MaxAge are the required login. They are set only for
	// CodeInsufficientSession, because an unauthenticated client must not learn them
	// (RFC 9470 §9).
	ACRValues []string
	MaxAge    time.Duration
}

// Verdict is the kind of an [Outcome].
type Verdict uint8

// The verdicts. The zero value refuses, so that a forgotten return denies.
const (
	// Rejected: the credential belongs to this scheme and is invalid.
	Rejected Verdict = iota
	// NotApplicable: the credential is well-formed but not for this scheme, for example
	// a token of another issuer. Another scheme of the gate may accept it. Otherwise it
	// counts as rejected.
	NotApplicable
	// TemporarilyUnavailable: the scheme cannot verify the credential now.
	TemporarilyUnavailable
	// Accepted: the caller is authenticated.
	Accepted
)

// Outcome is the result of a verification.
type Outcome struct {
	Verdict Verdict

	// Identity is set exactly when the verdict is Accepted.
	Identity *Identity

	// Code is the code for the client.
	Code Code

	// Reason is the exact cause for the log, without any part of the credential. It
	// never reaches the client.
	Reason error

	// Check is the check that failed, by its name in the trace. It is empty if the
	// scheme has no names for its checks.
	Check string

	// RetryAfter is when to try again, for an unavailable scheme. Zero: the gate
	// decides.
	RetryAfter time.Duration

	// Source is where the answer came from.
	Source Source

	// Progress is the number of checks that the credential passed. Of several refusals
	// the gate reports the one with the most.
	Progress int

	// Nonce is sent to the client in the field DPoP-Nonce, whatever the verdict (RFC
	// 9449 §8). Empty: no nonce.
	Nonce string
}

// Source is the place where a verification was answered.
type Source string

// The sources of an outcome.
const (
	SourceLocal  Source = "local"
	SourceCache  Source = "cache"
	SourceRemote Source = "remote"
)

// Accept returns the outcome for an authenticated caller.
func Accept(identity *Identity, source Source) Outcome {
	return Outcome{Verdict: Accepted, Identity: identity, Source: source}
}

// Reject returns the outcome for an invalid credential.
func Reject(code Code, reason error) Outcome {
	return Outcome{Verdict: Rejected, Code: code, Reason: reason, Source: SourceLocal}
}

// Skip returns the outcome for a credential that may belong to another scheme.
func Skip(code Code, reason error) Outcome {
	return Outcome{Verdict: NotApplicable, Code: code, Reason: reason, Source: SourceLocal}
}

// Unavailable returns the outcome of a scheme that cannot verify before this time has
// passed.
func Unavailable(after time.Duration, reason error) Outcome {
	return Outcome{Verdict: TemporarilyUnavailable, Code: CodeUnavailable, Reason: reason, RetryAfter: after, Source: SourceRemote}
}

// Unauthenticated reports whether the caller is not authenticated, so that every scheme
// must send its challenge.
func (a ChallengeParams) Unauthenticated() bool {
	switch a.Code {
	case CodeMissing, CodeInvalidToken, CodeExpiredToken, CodeRevokedToken, CodeInvalidCredentials,
		CodeInsufficientSession, CodeInvalidProof, CodeUseNonce:
		return true
	default:
		return false
	}
}

// DefaultRealm is the realm without a configured one.
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

// Identity is an authenticated caller. It is immutable: caches and requests share it.
type Identity struct {
	// ID is the user's name within the issuer or the scheme. It is empty for a token
	// without a subject, and for one that a client got for itself.
	ID string

	// Client is the OAuth client of the credential, if it is known.
	Client string

	// Issuer is the `iss` of a token. If the answer of an introspection has none, it is
	// the issuer that answered. It is empty for other credentials.
	Issuer string

	// Scopes and Roles are what the credential grants. Scopes that others imply are not
	// in it.
	Scopes []string
	Roles  []string

	// Claims are the verified claims of the caller. They may be nil.
	Claims *Claims

	// Expires is when the credential ends. Zero: it does not end.
	Expires time.Time
}

// Claim finds a claim by its path, such as `realm_access.roles`.
func (i *Identity) Claim(path string) (any, bool) {
	return claimpath.Lookup(i.Claims.All(), path)
}

// Claims are the verified claims of a caller. Many requests need none of them, so they
// can be decoded when they are needed.
type Claims struct {
	decode  func(text string) map[string]any
	text    string
	once    sync.Once
	members map[string]any
}

// ClaimsOf returns claims with a map. The map must not change any more.
func ClaimsOf(members map[string]any) *Claims { return &Claims{members: members} }

// DecodeLater sets a verified text from which the claims are decoded when they are
// needed.
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
