package requireauth

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/cors"
)

// The values of [RequireAuth.Preflight].
const (
	preflightAnswer  = "answer"
	preflightForward = "forward"
)

func checkPreflight(mode string) error {
	if mode != "" && mode != preflightAnswer && mode != preflightForward {
		return fmt.Errorf("preflight %q: write `preflight answer` or `preflight forward`", mode)
	}
	return nil
}

// isPreflight reports whether a request is a CORS preflight. A request with a
// credential for an earlier gate is not a preflight, even if the credential was removed
// since.
func (g *RequireAuth) isPreflight(state *requestState, r *http.Request) bool {
	return len(state.verified) == 0 && cors.IsPreflight(r) && !g.app.CarriesCredential(r)
}

// servePreflight answers a preflight, or hands it on where the gate says so. A
// preflight has no credential, so a handler behind the gate must neither run for
// one nor be read by one.
func (g *RequireAuth) servePreflight(w http.ResponseWriter, r *http.Request, state *requestState, next caddyhttp.Handler) error {
	forwards := g.Preflight == preflightForward && g.allowsOrigin(r)
	state.explained.addPreflight(g, forwards)
	if !forwards {
		if g.Preflight == "" && state.explained == nil {
			g.notePreflight(r)
		}
		closeUnlessBodySent(w, r)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	g.forward.names.removeFrom(r, state.forwarded)
	g.app.removeFromQuery(r)
	dropBody(r)
	answer := &preflightWriter{outer: w, header: make(http.Header)}
	err := next.ServeHTTP(answer, r)
	if err != nil {
		// Error routes could answer with what is guarded.
		g.logger.Debug("a forwarded preflight failed", zap.Error(err))
		answer.WriteHeader(statusOf(err))
	}
	return nil
}

func statusOf(err error) int {
	var failed caddyhttp.HandlerError
	if errors.As(err, &failed) && failed.StatusCode != 0 {
		return failed.StatusCode
	}
	return http.StatusInternalServerError
}

// notePreflight logs, once for each site, who answers preflights.
func (g *RequireAuth) notePreflight(r *http.Request) {
	if _, noted := g.app.preflights.LoadOrStore(siteOfRequest(r, g.outermost), true); noted {
		return
	}
	g.logger.Warn("a CORS preflight was answered by the gate, without CORS fields: browsers let no script of another origin call this site",
		zap.String("host", r.Host),
		zap.String("to_allow_origins", "write auth_cors with the origins in front of require_auth"),
		zap.String("to_let_the_upstream_answer", "write `preflight forward` in require_auth"),
		zap.String("to_keep_it", "write `preflight answer` in require_auth"))
}

// removeFromQuery removes the credentials of all declared schemes from the query, and
// the parameter of RFC 6750 §2.3. A preflight repeats the URL of its request.
func (a *App) removeFromQuery(r *http.Request) {
	request := authn.NewRequest(r)
	for _, location := range append(a.credentialLocations(request), authn.Location{Kind: authn.InQuery, Name: "access_token"}) {
		if location.Kind == authn.InQuery {
			location.Take(request)
		}
	}
}

// closeUnlessBodySent ends the connection after the answer if the client holds its body
// back until `100 Continue`. Otherwise the server would wait for the body before the
// answer.
func closeUnlessBodySent(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
		w.Header().Set("Connection", "close")
	}
}

// preflightWriter passes what CORS needs of an answer: its status, its
// Access-Control-* fields and Vary. It has no Unwrap, so that no handler gets at
// the writer behind it.
type preflightWriter struct {
	outer  http.ResponseWriter
	header http.Header
	done   bool
}

// Header returns fields of which few are sent.
func (p *preflightWriter) Header() http.Header { return p.header }

// WriteHeader passes a final status; informational answers have other fields.
func (p *preflightWriter) WriteHeader(status int) {
	if p.done || status < 200 {
		return
	}
	p.done = true
	fields := p.outer.Header()
	for name, values := range p.header {
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case canonical == "Vary":
			fields[canonical] = append(fields[canonical], values...)
		case strings.HasPrefix(canonical, "Access-Control-"):
			fields[canonical] = slices.Clone(values)
		}
	}
	p.outer.WriteHeader(status)
}

// Write implies the status 200 and drops the data.
func (p *preflightWriter) Write(data []byte) (int, error) {
	p.WriteHeader(http.StatusOK)
	return len(data), nil
}

// Flush implies the status 200.
func (p *preflightWriter) Flush() { p.WriteHeader(http.StatusOK) }

// Interface guard
var _ http.Flusher = (*preflightWriter)(nil)
