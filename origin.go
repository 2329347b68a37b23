package requireauth

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/cors"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
)

// allowsOrigin keeps pages of other origins away from an MCP server.
func (g *RequireAuth) allowsOrigin(r *http.Request) bool {
	if g.MCP == nil || cors.TrustedOrigin(r) {
		return true
	}
	own := ""
	if g.Resource != nil {
		own = g.Resource.Origin()
	}
	return g.MCP.AllowsOrigin(r, own)
}

// browserCredentials names the credentials that browsers send by themselves.
var browserCredentials = map[authn.LocationKind]string{authn.InCookie: "cookie", authn.InTLS: "certificate", authn.InHeader: "kept password"}

// modesWithoutScript are the modes of requests in which no script can set the field
// Authorization (Fetch §2.2.5). A field there holds a password that the browser keeps.
var modesWithoutScript = []string{"navigate", "no-cors", "websocket"}

// sentByBrowser reports whether a browser may have added a credential by itself.
func sentByBrowser(r *http.Request, location authn.Location) bool {
	return location.SentByBrowser() || location == authn.AuthorizationField &&
		slices.ContainsFunc(r.Header["Sec-Fetch-Mode"], func(mode string) bool { return slices.Contains(modesWithoutScript, mode) })
}

// checkOrigin prevents cross-site request forgery. A browser adds cookies,
// certificates and kept passwords by itself, also to a form of another site
// (RFC 6750 §5.3). The check covers methods that change something, and WebSockets,
// which have no same-origin policy. An origin that `auth_cors` names may pass.
func (g *RequireAuth) checkOrigin(state *requestState, r *http.Request, credential authn.Credential) error {
	if !sentByBrowser(r, credential.Location) || cors.TrustedOrigin(r) {
		return nil
	}
	checked := r
	if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		changing := *r
		changing.Method = http.MethodPost
		checked = &changing
	}
	err := g.csrf.Check(checked)
	if err != nil {
		name := browserCredentials[credential.Location.Kind]
		if credential.Location.Kind == authn.InHeader && credential.Location != authn.AuthorizationField {
			name = credential.Location.Name
		}
		err = crossSiteError{foreignOrigin(r, fmt.Sprintf("a %s came with a request from another site", name))}
	}
	return state.request.Trace.Note("origin", err)
}

// crossSiteError refuses a request that another site made a browser send.
type crossSiteError struct{ *mismatch.ValueError }

// Unwrap returns what the record of the denial shows.
func (e crossSiteError) Unwrap() error { return e.ValueError }

// foreignOrigin is a reason with the origin that the browser sent.
func foreignOrigin(r *http.Request, reason string) *mismatch.ValueError {
	found := "Origin " + mismatch.Printable(r.Header.Get("Origin"))
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		found += ", Sec-Fetch-Site " + mismatch.Printable(site)
	}
	return &mismatch.ValueError{Reason: reason, Found: found}
}
