package authn

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/internal/caddyrequest"
)

// Removal is a credential that a gate removed from a request.
type Removal struct {
	Location Location

	// before and after are the whole field, or the whole query.
	before, after []string
}

// Take removes the credential at the location from a request. It reports false, and
// changes nothing, if the location is empty.
func (p Location) Take(r *Request) (Removal, bool) {
	if values, err := p.values(r); err == nil && len(values) == 0 {
		return Removal{}, false
	}
	before := p.field(r.Request)
	p.Remove(r.Request)
	r.forget(p)
	return Removal{Location: p, before: before, after: p.field(r.Request)}, true
}

// Restore restores the credential. If another handler has changed the field since, that
// handler's value counts: Restore reports false and changes nothing.
func (m Removal) Restore(r *http.Request) bool {
	if !slices.Equal(m.Location.field(r), m.after) {
		return false
	}
	switch m.Location.Kind {
	case InHeader, InCookie, InWebSocket:
		r.Header[m.Location.VaryField()] = m.before
	case InQuery:
		r.URL.RawQuery = m.before[0]
		r.RequestURI = r.URL.RequestURI()
	case InForm, InTLS:
	}
	return true
}

// field returns the lines of the header field at the location, or the query.
func (p Location) field(r *http.Request) []string {
	switch p.Kind {
	case InHeader, InCookie, InWebSocket:
		return r.Header[p.VaryField()]
	case InQuery:
		return []string{r.URL.RawQuery}
	default:
		return nil
	}
}

// removeFromOriginal removes the parameter from the address before rewrites, which
// FastCGI, error routes and placeholders use. The parameter was removed from the query
// before already.
func (p Location) removeFromOriginal(r *http.Request, before string) {
	original, found := caddyrequest.Original(r)
	if !found {
		return
	}
	if original.URL.RawQuery == before {
		original.URL.RawQuery = r.URL.RawQuery // nearly always
	} else {
		p.removeFromQuery(original.URL)
	}
	if replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		replacer.Set("http.request.orig_uri", original.URL.RequestURI())
	}
}
