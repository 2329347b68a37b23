package authn

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/keyedhash"
	"github.com/excorp/caddy-require-auth/store"
)

// MaxCredential bounds a credential, in bytes. A longer one is refused before it is
// decoded.
const MaxCredential = authheader.MaxCredential

// ErrTooLarge is the reason of a denial of a credential over [MaxCredential]. The
// status is 431: with 401, clients would log in again and send one of the same size.
var ErrTooLarge = authheader.ErrTooLarge

// Request is an HTTP request with the parsed values that several schemes read. It
// belongs to one goroutine.
type Request struct {
	*http.Request

	// Trace collects checks for an explanation. It is nil for a real request.
	Trace *trace.Trace

	authorization authheader.Authorization
	problem       error
	formValues    url.Values // nil before a form is read
	names         *Names
	query         *namedValues // nil before it is read
	cookies       *namedValues
	gate          *Gate // nil for none
	gateUsed      bool  // whether a scheme has read the gate
	spent         []store.Key

	digestInput string // the credential of digest
	digest      store.Key
}

// NewRequest reads the Authorization field of r.
func NewRequest(r *http.Request) *Request {
	request := new(Request)
	request.Read(r)
	return request
}

// Expect sets the names in which schemes look for credentials, so that one pass reads
// all of them.
func (r *Request) Expect(names *Names) {
	if r.names != names {
		r.names, r.query, r.cookies = names, nil, nil
	}
}

// Read sets r as the current request, and reads its Authorization field. An earlier
// form stays, because its body may be gone.
func (r *Request) Read(from *http.Request) {
	r.Request = from
	r.authorization, r.problem = authheader.Parse(from.Header["Authorization"])
}

// Authorization returns the credentials of the Authorization field, the zero
// value without one. The error, if any, makes the whole request malformed.
func (r *Request) Authorization() (authheader.Authorization, error) {
	return r.authorization, r.problem
}

// DigestOf returns a digest of a credential for the memory of this process. It is keyed,
// so nobody else can compute it. A repeated call for one credential costs nothing.
func (r *Request) DigestOf(credential string) store.Key {
	if r.digestInput != credential || credential == "" {
		r.digestInput, r.digest = credential, keyedhash.Of(credential)
	}
	return r.digest
}

// Gate is what schemes may know about the gate.
type Gate struct {
	// Audience is an identifier of this gate as a protected resource (RFC 9728). A
	// token for it is a token for this gate. Empty: the gate has no identifier.
	Audience string

	// AudienceAsURL compares the scheme and the host of Audience without case, as
	// clients of MCP servers spell it.
	AudienceAsURL bool

	// Origin is the scheme and authority that clients see, such as
	// https://api.example.com, from the configuration of the gate. Empty: the request
	// decides.
	Origin string

	// SiteOrigin returns the origin of the site's protected resource that covers a
	// path, or an empty text. A gate without an Origin calls it with the origin of the
	// request.
	SiteOrigin func(requestOrigin, path string) string

	// Hidden means that no answer may disclose the gate. Then the gate reads no form
	// from a client that waits for `100 Continue`: a missing page does not send it.
	Hidden bool
}

// SetGate sets the gate of the next verifications.
func (r *Request) SetGate(gate *Gate) { r.gate = gate }

// noGate is the gate of a request without one.
var noGate Gate

// useGate returns the gate for a scheme, whose outcome then depends on it.
func (r *Request) useGate() *Gate {
	r.gateUsed = true
	return cmp.Or(r.gate, &noGate)
}

// Verify has a scheme verify a credential. It reports whether the outcome depends on
// the gate, so that another gate must verify again.
func (r *Request) Verify(scheme Scheme, credential Credential) (outcome Outcome, dependsOnGate bool) {
	r.gateUsed = false
	outcome = scheme.Verify(r.Context(), r, credential)
	return outcome, r.gateUsed
}

// Origins returns the origins that a proof of possession may name. It is the origin of
// the gate. A gate without one accepts that of the request, and that of the site's
// protected resource that covers the path.
func (r *Request) Origins(requestOrigin, path string) []string {
	gate := r.useGate()
	switch {
	case gate.Origin != "":
		return []string{gate.Origin}
	case gate.SiteOrigin != nil:
		if origin := gate.SiteOrigin(requestOrigin, path); origin != "" && origin != requestOrigin {
			return []string{requestOrigin, origin}
		}
	}
	return []string{requestOrigin}
}

// AudienceOf returns the audience of the gate among several audiences, as it is written
// there, or an empty text. An exact match comes first.
func (r *Request) AudienceOf(named []string) string {
	gate := r.useGate()
	if gate.Audience == "" || slices.Contains(named, gate.Audience) {
		return gate.Audience
	}
	if i := slices.IndexFunc(named, r.MeansAudience); i >= 0 {
		return named[i]
	}
	return ""
}

// GateAudience returns the identifier of the gate as a protected resource, or an empty
// text.
func (r *Request) GateAudience() string {
	return r.useGate().Audience
}

// MeansAudience reports whether an audience is that of the gate.
func (r *Request) MeansAudience(audience string) bool {
	gate := r.useGate()
	if gate.Audience == "" {
		return false
	}
	return audience == gate.Audience || gate.AudienceAsURL && withLowerOrigin(audience) == withLowerOrigin(gate.Audience)
}

// withLowerOrigin returns a URL with its scheme and host in lower case.
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

// SpendOnce runs an action that may happen once in a request, such as the use of a
// proof. It runs once for each key, whatever gates and schemes call it.
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
