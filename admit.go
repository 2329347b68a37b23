package requireauth

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
)

// admit prepares a request that goes on and returns the writer for its answer.
func (g *RequireAuth) admit(w http.ResponseWriter, r *http.Request, visit *visit, made ruling) http.ResponseWriter {
	if made.outcome.Identity != nil {
		visit.admit(r, made)
		g.forward.setOn(r, visit)
	}
	if g.MCP.IsBodiless(r) {
		dropBody(r)
	}
	credential := made.credential
	if !credential.Found() {
		return w
	}
	directive := "private"
	switch {
	case made.outcome.Nonce != "":
		w.Header().Set(nonceHeader, made.outcome.Nonce)
		directive = "no-store" // a nonce is for one client, RFC 9449 §8.2
	case credential.Scheme != "Basic" && credential.Scheme != "" && credential.Place == authn.AuthorizationField:
		return w // shared caches know this case, RFC 9111 §3.5
	}
	return &privateWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		vary:                  credential.Place.VaryField(), directive: directive,
	}
}

// strip takes a credential out of a request before anybody else is told of it:
// the upstream, or who has the pages of a denial.
func (g *RequireAuth) strip(visit *visit, r *http.Request, credential authn.Credential) {
	inQuery := credential.Place.In == authn.InQuery && credential.Scheme == "Bearer" // RFC 6750 §2.3
	if credential.Found() && (g.StripCredentials || inQuery) {
		visit.keep(r)
		credential.Place.Remove(r)
	}
}

// admit makes the caller the one that placeholders speak of. What another
// handler set under the same names must not shine through.
func (v *visit) admit(r *http.Request, made ruling) {
	if replacer := replacerOf(r); replacer != nil {
		replacer.DeleteByPrefix("http.auth.user.")
	}
	v.identity, v.scheme = made.outcome.Identity, made.scheme.name
}

// keep remembers the request with its credentials for the gates that follow,
// before they are removed.
func (v *visit) keep(r *http.Request) {
	if v.request.Request != r {
		return // kept already
	}
	whole := *r
	whole.Header = r.Header.Clone()
	address := *r.URL
	whole.URL = &address
	v.request.Request = &whole
	v.stripped = true
}

// requestFor returns the request to look for credentials in: the one at hand,
// or what was kept before credentials were removed from it.
func (v *visit) requestFor(r *http.Request) *http.Request {
	if v.stripped {
		return v.request.Request
	}
	return r
}

// privateWriter keeps an answer from shared caches. RFC 9111 §3.5 does that
// for the Authorization field, but not for other places of a credential.
type privateWriter struct {
	*caddyhttp.ResponseWriterWrapper
	vary      string
	directive string // private, or no-store
	done      bool
}

// WriteHeader adjusts the header once, at the final status.
func (p *privateWriter) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		p.restrict()
	}
	p.ResponseWriterWrapper.WriteHeader(status)
}

func (p *privateWriter) restrict() {
	if !p.done {
		p.done = true
		restrict(p.Header(), p.directive, p.vary)
	}
}

// Write implies the status 200.
func (p *privateWriter) Write(data []byte) (int, error) {
	if !p.done {
		p.WriteHeader(http.StatusOK)
	}
	return p.ResponseWriterWrapper.Write(data)
}

// ReadFrom implies the status 200.
func (p *privateWriter) ReadFrom(from io.Reader) (int64, error) {
	if !p.done {
		p.WriteHeader(http.StatusOK)
	}
	return p.ResponseWriterWrapper.ReadFrom(from)
}

// FlushError implies the status 200.
func (p *privateWriter) FlushError() error {
	if !p.done {
		p.WriteHeader(http.StatusOK)
	}
	return http.NewResponseController(p.ResponseWriter).Flush()
}

// restrict lets nobody but the client store an answer, or nobody at all, unless
// it is already as strict, and says which field decided.
func restrict(h http.Header, directive, vary string) {
	directives := membersOf(h["Cache-Control"])
	strict := slices.ContainsFunc(directives, func(d string) bool {
		return strings.EqualFold(d, "no-store") || strings.EqualFold(d, directive)
	})
	if !strict {
		directives = slices.DeleteFunc(directives, func(d string) bool {
			name, _, _ := strings.Cut(d, "=")
			return slices.Contains(shared, strings.ToLower(name))
		})
		h.Set("Cache-Control", strings.Join(append(directives, directive), ", "))
	}
	for _, field := range membersOf(h["Vary"]) {
		if field == "*" || strings.EqualFold(field, vary) {
			return
		}
	}
	if vary != "" {
		h.Add("Vary", vary)
	}
}

// shared are the directives that are about shared caches, or weaker than what
// takes their place.
var shared = []string{"public", "private", "s-maxage", "proxy-revalidate"}

// membersOf splits list fields into their members; a comma between quotes
// separates nothing.
func membersOf(fields []string) []string {
	var all []string
	for _, field := range fields {
		quoted, start := false, 0
		for i := 0; i <= len(field); i++ {
			switch {
			case i == len(field) || field[i] == ',' && !quoted:
				if member := strings.TrimSpace(field[start:i]); member != "" {
					all = append(all, member)
				}
				start = i + 1
			case field[i] == '"':
				quoted = !quoted
			case field[i] == '\\' && quoted:
				i++
			}
		}
	}
	return all
}

// Interface guards
var (
	_ http.ResponseWriter = (*privateWriter)(nil)
	_ io.ReaderFrom       = (*privateWriter)(nil)
)
