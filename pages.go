package requireauth

import (
	"context"
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/caddyrequest"
	"github.com/excorp/caddy-require-auth/internal/dryrun"
)

// errorPages are the error routes that apply to a gate: in the Caddyfile the
// `handle_errors` of its site.
//
// Caddy would run them itself if the gate returned an error. If no route matches, for
// example because only another site on the listener has one, Caddy answers with an
// empty body. The gate does not learn of it. So the gate runs them, and writes its own
// body if they wrote none.
type errorPages struct {
	// inner are the error routes of the innermost subroute around the gate
	// that has some; nil to use those of the server.
	inner  caddyhttp.RouteList
	logger *zap.Logger
}

// findErrorPages looks for error routes among the modules around a gate.
func findErrorPages(ctx caddy.Context) errorPages {
	pages := errorPages{logger: ctx.Logger()}
	for _, module := range ctx.Modules() {
		subroute, ok := module.(*caddyhttp.Subroute)
		if ok && subroute.Errors != nil && len(subroute.Errors.Routes) > 0 {
			pages.inner = subroute.Errors.Routes
		}
	}
	return pages
}

func (p errorPages) routes(r *http.Request) caddyhttp.RouteList {
	if r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
		return nil // a gate among error routes must not call them again
	}
	if p.inner != nil {
		return harmlessRoutes(r, p.inner)
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || server.Errors == nil {
		return nil
	}
	return server.Errors.Routes
}

// harmlessRoutes keeps the error routes of a dry run from reaching anything.
func harmlessRoutes(r *http.Request, routes caddyhttp.RouteList) caddyhttp.RouteList {
	if !dryrun.In(r.Context()) {
		return routes
	}
	dry, err := dryrun.Routes(routes)
	if err != nil {
		return nil
	}
	return dry
}

// serve runs the error routes for a status and reports whether they answered. The text
// of the error is public.
func (p errorPages) serve(w http.ResponseWriter, r *http.Request, status int, public error) bool {
	routes := p.routes(r)
	if len(routes) == 0 {
		return false
	}
	restoreOriginal(r)
	err := caddyhttp.Error(status, public)
	// If a handler around the gate fails, Caddy runs the error routes as well. Its groups
	// must not count what was taken here, or it would leave out a rewrite to a page.
	r = r.WithContext(context.WithValue(r.Context(), routeGroups, make(map[string]struct{})))
	r = (*caddyhttp.HTTPErrorConfig)(nil).WithError(r, err)
	page := &pageWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	nothing := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	if err := routes.Compile(nothing).ServeHTTP(page, r); err != nil {
		p.logger.Error("the error routes failed", zap.Error(err))
		return page.written
	}
	return page.finish(status)
}

// routeGroups is Caddy's key of the groups of routes that a request has taken. Caddy does
// not export it; a test of two error pages fails if it has another name.
const routeGroups caddy.CtxKey = "route_group"

// restoreOriginal undoes rewrites, as Caddy does before its error routes.
func restoreOriginal(r *http.Request) {
	original, found := caddyrequest.Original(r)
	if !found {
		return
	}
	r.Method, r.RequestURI = original.Method, original.RequestURI
	*r.URL = *original.URL
}

// pageWriter holds the status back until there is a body, so that an empty
// answer can still be replaced.
type pageWriter struct {
	*caddyhttp.ResponseWriterWrapper
	status  int
	written bool
}

// WriteHeader remembers a final status; informational ones pass.
func (p *pageWriter) WriteHeader(status int) {
	switch {
	case p.written:
	case status < 200:
		p.ResponseWriterWrapper.WriteHeader(status)
	default:
		p.status = status
	}
}

func (p *pageWriter) commit() {
	if p.written {
		return
	}
	p.written = true
	if p.status != 0 {
		p.ResponseWriterWrapper.WriteHeader(p.status)
	}
}

// Write sends the status and the data.
func (p *pageWriter) Write(data []byte) (int, error) {
	p.commit()
	return p.ResponseWriterWrapper.Write(data)
}

// ReadFrom sends the status and the data.
func (p *pageWriter) ReadFrom(from io.Reader) (int64, error) {
	p.commit()
	return p.ResponseWriterWrapper.ReadFrom(from)
}

// FlushError sends the status.
func (p *pageWriter) FlushError() error {
	p.commit()
	return http.NewResponseController(p.ResponseWriter).Flush()
}

// finish reports whether there is an answer. An answer without a body counts if it
// differs from the denial, such as a redirect. So does one that describes a body, as an
// answer to HEAD does. Any other empty answer is the one of Caddy without a matching
// error route.
func (p *pageWriter) finish(denied int) bool {
	if p.written {
		return true
	}
	if p.status == 0 || p.status == denied && p.Header().Get("Content-Type") == "" {
		return false
	}
	p.commit()
	return true
}

// Interface guards
var (
	_ http.ResponseWriter = (*pageWriter)(nil)
	_ io.ReaderFrom       = (*pageWriter)(nil)
)
