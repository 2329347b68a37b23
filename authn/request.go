package authn

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/steps"
	"github.com/excorp/caddy-require-auth/store"
)

// MaxCredential bounds a credential, in bytes. A longer one is refused before it is
// decoded.
const MaxCredential = authheader.MaxCredential

// ErrTooLarge is the reason of a denial of a credential over [MaxCredential]. The
// status is 431: with 401, clients would log in again and send one of the same size.
var ErrTooLarge = authheader.ErrTooLarge

// Request is an HTTP request with what several schemes read from it parsed
// once. It is used by one goroutine.
type Request struct {
	*http.Request

	// Trace collects what is checked; nil for a request that is judged.
	Trace *trace.Trace

	authorization authheader.Authorization
	problem       error
	posted        url.Values // nil until a form was read
	names         *Names
	query         found
	cookies       found
	gate          gateAccess
	spent         []store.Key

	digested string // the credential that digest is of
	digest   store.Key
}

// NewRequest reads the Authorization field of r.
func NewRequest(r *http.Request) *Request {
	request := new(Request)
	request.Read(r)
	return request
}

// Expect says where all schemes look, so that what they look at is read once and
// not once for each.
func (r *Request) Expect(names *Names) {
	if r.names != names {
		r.names, r.query, r.cookies = names, found{}, found{}
	}
}

// Read makes r the request as it is now, and reads its Authorization field. A form
// that was read before stays: its body may be gone.
func (r *Request) Read(from *http.Request) {
	r.Request = from
	r.authorization, r.problem = authheader.Parse(from.Header["Authorization"])
}

// Authorization returns the credentials of the Authorization field, the zero
// value without one. The error, if any, makes the whole request malformed.
func (r *Request) Authorization() (authheader.Authorization, error) {
	return r.authorization, r.problem
}

// DigestOf returns the digest of a whole credential. It computes the digest of one
// credential once.
func (r *Request) DigestOf(credential string) store.Key {
	if r.digested != credential || credential == "" {
		steps.Add(len(credential))
		var room [2048]byte // nearly all fit, which saves an allocation for each request
		r.digested, r.digest = credential, sha256.Sum256(append(room[:0], credential...))
	}
	return r.digest
}

// Gate is what schemes may know of the gate that asks them.
type Gate struct {
	// Audience is an identifier under which this gate is known as a protected
	// resource (RFC 9728): a token for it is a token for this gate. Empty for
	// none.
	Audience string

	// AudienceAsURL compares the scheme and the host of Audience without case,
	// as clients of MCP servers spell it.
	AudienceAsURL bool

	// Origin is the scheme and authority that clients see, such as
	// https://api.example.com, where the configuration of the gate says so.
	// Empty where it has to be taken from the request.
	Origin string

	// SiteOrigin returns the origin of the protected resource of the site that
	// covers a path, for a gate without an Origin; empty for none. It is given the
	// origin that the request itself shows.
	SiteOrigin func(ofRequest, path string) string

	// Hidden says that no answer may tell of the gate. It reads no form from a
	// client that waits for `100 Continue`, which a missing page does not send.
	Hidden bool
}

// gateAccess is a [Gate], and whether a scheme looked at it.
type gateAccess struct {
	Gate
	used bool
}

// SetGate tells schemes about the gate that asks them.
func (r *Request) SetGate(gate Gate) { r.gate = gateAccess{Gate: gate} }

// Verify has a scheme verify a credential. It reports whether the outcome depends
// on the gate, so that another gate has to ask again.
func (r *Request) Verify(scheme Scheme, credential Credential) (outcome Outcome, dependsOnGate bool) {
	r.gate.used = false
	outcome = scheme.Verify(r.Context(), r, credential)
	return outcome, r.gate.used
}

// Origins returns the origins that a proof of possession may name: the one of the
// gate alone, or else the one of the request and the one of the protected resource
// of the site that covers the path.
func (r *Request) Origins(ofRequest, path string) []string {
	r.gate.used = true
	switch {
	case r.gate.Origin != "":
		return []string{r.gate.Origin}
	case r.gate.SiteOrigin != nil:
		if origin := r.gate.SiteOrigin(ofRequest, path); origin != "" && origin != ofRequest {
			return []string{ofRequest, origin}
		}
	}
	return []string{ofRequest}
}

// AudienceOf returns the one of several audiences that is that of the gate, as it
// is written there; empty for none. The exact spelling comes first.
func (r *Request) AudienceOf(named []string) string {
	r.gate.used = true
	if r.gate.Audience == "" || slices.Contains(named, r.gate.Audience) {
		return r.gate.Audience
	}
	if i := slices.IndexFunc(named, r.MeansAudience); i >= 0 {
		return named[i]
	}
	return ""
}

// GateAudience returns the identifier under which the gate is known as a protected
// resource; empty for none.
func (r *Request) GateAudience() string {
	r.gate.used = true
	return r.gate.Audience
}

// MeansAudience reports whether an audience is that of the gate.
func (r *Request) MeansAudience(audience string) bool {
	r.gate.used = true
	if r.gate.Audience == "" {
		return false
	}
	return audience == r.gate.Audience || r.gate.AudienceAsURL && withLowerOrigin(audience) == withLowerOrigin(r.gate.Audience)
}

// withLowerOrigin spells the scheme and the host of a URL in lower case.
func withLowerOrigin(address string) string {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return address
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	return strings.ToLower(scheme) + "://" + strings.ToLower(rest[:end]) + rest[end:]
}

// SpendOnce does what may happen once in a request, such as using a proof up. A key
// that was spent before is not spent again, for whichever gate and scheme.
func (r *Request) SpendOnce(key store.Key, spend func() error) error {
	if slices.Contains(r.spent, key) {
		return nil
	}
	err := spend()
	if err == nil {
		r.spent = append(r.spent, key)
	}
	return err
}
