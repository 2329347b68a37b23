package authn

import (
	"crypto/sha256"
	"net/http"
	"net/url"

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
