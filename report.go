package requireauth

import (
	"cmp"
	"errors"
	"net/http"

	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/denials"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
)

// summarize adds a decision of a gate with report_only to the answer of `GET
// /auth/report`. It holds what the log has, and no credential or part of one.
func (g *RequireAuth) summarize(r *http.Request, d *decision) {
	if d.Allowed {
		g.app.wouldDeny.Admit()
		return
	}
	one := denials.Denial{Code: string(d.Code), Host: mismatch.Printable(r.Host), Missing: d.Missing}
	one.Method, one.Path = requestLine(r)
	if d.required != nil {
		one.Required = d.required.Describe()
	}
	if d.Reason != nil {
		one.Reason = d.Reason.Error()
	}
	if mismatch, ok := errors.AsType[*mismatch.ValueError](d.Reason); ok {
		one.Found = mismatch.Found
	}
	caller := clientaddress.Of(r)
	if caller == clientaddress.SubRequests {
		caller = ""
	}
	if identity := d.outcome.Identity; identity != nil {
		caller = cmp.Or(identity.ID, identity.Client, caller)
	}
	g.app.wouldDeny.Add(one, caller)
}

// reportDenials answers with what gates with report_only would deny.
func reportDenials(app *App, _ *http.Request) (any, error) { return app.wouldDeny.Report(), nil }
