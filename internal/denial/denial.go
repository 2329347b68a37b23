// Package denial writes the response of a denied request: its status, its header fields
// and its body.
package denial

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/page"
)

// TraceHeader carries the trace id of every denial.
const TraceHeader = "X-Trace-Id"

// Denial is the response of a denied request.
type Denial struct {
	Code authn.Code

	// TooLarge means that the credential is over the bound: the status is 431.
	TooLarge bool

	// BodyTooLarge means that the body is over the bound: the status is 413.
	BodyTooLarge bool

	// RPC makes the answer an error of JSON-RPC where the body is JSON.
	RPC *RPC

	// CrossSite means that another site caused the request of a browser. The caller
	// does not lack permissions.
	CrossSite bool

	// RequiredScopes and RequiredRoles are the requirement of the route, never those of
	// the caller.
	RequiredScopes []string
	RequiredRoles  []string

	// Challenges are the values of WWW-Authenticate, one for each field line.
	Challenges []string

	// TraceID connects the answer with the log.
	TraceID string

	// RetryAfter is when to try again, in whole seconds. Zero is not sent.
	RetryAfter time.Duration

	// LoginURL is the target of the link in the HTML page of a 401. Empty: no link.
	LoginURL string

	// Pages are the HTML pages. Nil: the built-in pages.
	Pages *page.Set
}

// Status is the HTTP status of the answer.
func (d Denial) Status() int {
	if d.TooLarge {
		return http.StatusRequestHeaderFieldsTooLarge
	}
	if d.BodyTooLarge {
		return http.StatusRequestEntityTooLarge
	}
	return d.Code.Status()
}

// Detail is the sentence that explains the answer to a client.
func (d Denial) Detail() string {
	if d.TooLarge {
		return "The credential is too large"
	}
	if d.BodyTooLarge {
		return "The body is too large"
	}
	if d.CrossSite {
		return "The request comes from another site"
	}
	return d.Code.Detail()
}

// explicitFreshness are the fields of a success that an earlier handler may have set.
// In a denial, they could let a cache store it, or confuse it with the resource.
var explicitFreshness = []string{
	"Accept-Ranges", "Age", "Cache-Control", "Content-Encoding", "Content-Length",
	"Etag", "Expires", "Last-Modified", "Set-Cookie", "Www-Authenticate",
}

// SetHeader sets the fields of the answer, except those that describe the body.
func (d Denial) SetHeader(h http.Header) {
	for _, field := range explicitFreshness {
		h.Del(field)
	}
	h["Cache-Control"] = []string{"no-store"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h[TraceHeader] = []string{d.TraceID}
	if len(d.Challenges) > 0 {
		h["Www-Authenticate"] = d.Challenges
	}
	if d.RetryAfter > 0 {
		seconds := (d.RetryAfter + time.Second - 1) / time.Second
		h["Retry-After"] = []string{strconv.FormatInt(int64(seconds), 10)}
	}
}

// Write sends the status and the body in the format that suits the request. A gRPC
// request gets no body.
func (d Denial) Write(w http.ResponseWriter, r *http.Request, format Format) error {
	h := w.Header()
	if sent := r.Header.Get("Content-Type"); isGRPC(sent) {
		h.Set("Content-Type", grpcTypeFor(sent))
		w.WriteHeader(d.Status())
		return nil
	}
	if format.negotiated() {
		addVary(h, "Accept")
	}
	name := format.forRequest(r)
	write := writers[name]
	if d.RPC != nil && (name == FormatProblem || name == FormatJSON) {
		write = writer{"application/json", rpcError}
	}
	body, err := write.body(d, r, h)
	if err != nil {
		return err
	}
	h.Set("Content-Type", write.contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(d.Status())
	_, err = w.Write(body)
	return err
}

// addVary declares that the answer depends on a field of the request.
func addVary(h http.Header, name string) {
	for _, field := range h["Vary"] {
		for member := range strings.SplitSeq(field, ",") {
			if member = strings.TrimSpace(member); member == "*" || strings.EqualFold(member, name) {
				return
			}
		}
	}
	h.Add("Vary", name)
}
