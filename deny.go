package requireauth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/denial"
	"github.com/excorp/caddy-require-auth/internal/responsewriter"
	"github.com/excorp/caddy-require-auth/mcp"
	"github.com/excorp/caddy-require-auth/openapi"
)

// retryAfter is when to ask again if a scheme does not know better.
const retryAfter = 5 * time.Second

// nonceHeader carries a nonce for proofs of possession (RFC 9449 §8).
const nonceHeader = "DPoP-Nonce"

// deny answers a request that is not let through.
func (g *RequireAuth) deny(w http.ResponseWriter, r *http.Request, state *requestState, d *decision) error {
	if g.hides(d) {
		return g.hide(w, r, state)
	}
	_, crossSite := errors.AsType[crossSiteError](d.Reason)
	answer := denial.Denial{
		Code:           d.Code,
		TooLarge:       d.tooLarge(),
		BodyTooLarge:   errors.Is(d.Reason, mcp.ErrBodyTooLarge),
		CrossSite:      crossSite,
		RequiredScopes: d.RequiredScopes,
		RequiredRoles:  d.RequiredRoles,
		Challenges:     g.challenges(r, d),
		TraceID:        state.traceID(g.app),
		LoginURL:       g.LoginURL,
		Pages:          g.app.pages,
	}
	if d.Code == authn.CodeUnavailable || d.Code == authn.CodeTooManyAttempts {
		answer.RetryAfter = cmp.Or(d.outcome.RetryAfter, retryAfter)
	}
	state.denied = &answer
	answer.SetHeader(w.Header())
	answer.SetGRPC(r, w.Header())
	if d.outcome.Nonce != "" {
		w.Header().Set(nonceHeader, d.outcome.Nonce)
	}
	closeUnlessBodySent(w, r)
	if answer.BodyTooLarge && r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
	if g.MCP.IsRPC(r) {
		answer.RPC = rpcOf(r, state, d)
	}
	if g.pages.serve(w, r, answer.Status(), errDenied(answer)) {
		return nil
	}
	return answer.Write(w, r, g.ErrorFormat)
}

// rpcOf is the error of JSON-RPC for a denied MCP request.
func rpcOf(r *http.Request, state *requestState, d *decision) *denial.RPC {
	answer := &denial.RPC{Code: rpcDenied}
	if !errors.Is(d.Reason, mcp.ErrBodyTooLarge) {
		answer.ID = mcp.ID(r, state.setReadDeadline)
	}
	revision, unsupported := errors.AsType[*mcp.RevisionError](d.Reason)
	switch {
	case unsupported:
		answer.Code, answer.Supported, answer.Requested = rpcUnsupportedRevision, revision.Supported, revision.Requested
	case errors.Is(d.Reason, mcp.ErrMismatch):
		answer.Code = rpcMismatch
	case errors.Is(d.Reason, mcp.ErrNotJSON):
		answer.Code = rpcNotJSON
	case d.Code == authn.CodeInvalidRequest:
		answer.Code = rpcInvalid
	case d.Code == authn.CodeInternal:
		answer.Code = rpcInternal
	}
	return answer
}

// Error codes of JSON-RPC 2.0 §5.1, and of MCP from the revision 2026-07-28 on.
const (
	rpcNotJSON             = -32700
	rpcInvalid             = -32600
	rpcInternal            = -32603
	rpcMismatch            = -32020
	rpcUnsupportedRevision = -32022
	rpcDenied              = -32010 // of those that MCP leaves to implementations
)

// hide answers as Caddy does for a missing page: with the site's error routes, or
// an empty body. It does not return an error, because Caddy would log the request
// as it came, with its credentials, and {err.trace} would name the gate.
func (g *RequireAuth) hide(w http.ResponseWriter, r *http.Request, state *requestState) error {
	state.hidden = true
	if g.pages.inner == nil {
		w = outermost(w)
	}
	if !g.pages.serve(w, r, http.StatusNotFound, g.missing) {
		w.WriteHeader(http.StatusNotFound)
	}
	return nil
}

// missingPage returns the error of Caddy's file server for a file that does not
// exist, without its id. Its trace is what {err.trace} shows for a missing page.
func missingPage(ctx caddy.Context) caddyhttp.HandlerError {
	missing := caddyhttp.HandlerError{StatusCode: http.StatusNotFound}
	module, err := ctx.LoadModuleByID("http.handlers.file_server", caddyconfig.JSON(map[string]string{"root": os.DevNull}, nil))
	if err != nil {
		return missing
	}
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/missing"}}
	r = r.WithContext(context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer()))
	if found, ok := errors.AsType[caddyhttp.HandlerError](module.(caddyhttp.MiddlewareHandler).ServeHTTP(nil, r, nil)); ok {
		missing.Trace = found.Trace
	}
	return missing
}

// outermost returns the writer that Caddy's server answers errors with. The writers of
// handlers before the gate never see an error. They would remove a field or compress a
// page, and so reveal a hidden denial.
func outermost(w http.ResponseWriter) http.ResponseWriter {
	var recorder http.ResponseWriter // of the access log, which must not miss the answer
	for {
		switch writer := w.(type) {
		case *responsewriter.Writer:
			writer.Apply() // as where an error passes it
		case caddyhttp.ResponseRecorder:
			if writer.Buffer() == nil {
				recorder = w
			}
		}
		wrapper, wraps := w.(interface{ Unwrap() http.ResponseWriter })
		_, limited := w.(*caddyhttp.IdleTimeoutWriter) // by which the server ends slow clients
		switch {
		case wraps && !limited:
			w = wrapper.Unwrap()
		case recorder != nil:
			return recorder
		default:
			return w
		}
	}
}

// hides reports whether a denial is answered as if there were nothing. With `all`
// every denial is: a status that only gates use would reveal one.
func (g *RequireAuth) hides(d *decision) bool {
	return g.Hide == hideAll || g.Hide == hideDenied && d.status() == http.StatusForbidden ||
		errors.Is(d.Reason, errUndeclared) && g.OpenAPI.Undeclared != openapi.UndeclaredForbidden
}

// challenges returns the field values of WWW-Authenticate. The scheme of the presented
// credential names the error. In an answer to an unauthenticated caller the other
// schemes add theirs. No challenge makes a credential smaller.
func (g *RequireAuth) challenges(r *http.Request, d *decision) []string {
	if d.tooLarge() {
		return nil
	}
	var all []authn.Challenge
	var scopes []string
	if d.required != nil {
		scopes = d.required.ChallengeScopes()
	}
	for _, scheme := range g.acceptedFor(d) {
		params := authn.ChallengeParams{Code: d.Code, Realm: g.app.Realm, Scope: scopes, Presented: d.credential.Scheme}
		if g.Resource != nil {
			params.ResourceMetadata = g.Resource.MetadataURL()
		}
		if d.Code == authn.CodeInsufficientSession && d.scheme == scheme {
			params.ACRValues, params.MaxAge = g.ACR, time.Duration(g.MaxAge)
		}
		if d.scheme != scheme && d.Code != authn.CodeInvalidRequest {
			params.Code, params.Presented = authn.CodeMissing, ""
			if d.Code.Status() != http.StatusUnauthorized {
				continue
			}
		}
		all = append(all, scheme.Challenges(params)...)
	}
	if isXMLHttpRequest(r) {
		all = withoutPrompt(all)
	}
	return denial.ChallengeFields(all, d.credential.Scheme)
}

// isXMLHttpRequest reports whether a request says that a script sends it, and not
// a navigation. Every other request gets the plain Basic challenge: a browser
// answers it by itself with the password of the realm (RFC 7617 §2.2). An Android
// WebView writes the package of its app into X-Requested-With.
func isXMLHttpRequest(r *http.Request) bool {
	return r.Header.Get("X-Requested-With") == "XMLHttpRequest" && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// withoutPrompt keeps a browser from opening its password window, which no script can
// close. It removes Basic challenges, or renames them if there is no other.
func withoutPrompt(all []authn.Challenge) []authn.Challenge {
	var others, basic []authn.Challenge
	for _, c := range all {
		if c.Scheme == "Basic" {
			basic = append(basic, authn.Challenge{Scheme: "xBasic", Realm: c.Realm})
		} else {
			others = append(others, c)
		}
	}
	if len(others) == 0 {
		return basic
	}
	return others
}

// errDenied is what error pages see as `{http.error.message}`: it is public.
func errDenied(answer denial.Denial) error { return errors.New(answer.Detail()) }

// checkLoginURL accepts a path or a URL of http or https. It refuses one that a browser
// could read as another. The link is the same for everybody: placeholders would let a
// request say where it leads.
func checkLoginURL(login string) error {
	if login == "" {
		return nil
	}
	parsed, err := url.Parse(login)
	path := err == nil && strings.HasPrefix(login, "/") && !strings.HasPrefix(login, "//")
	web := err == nil && (parsed.Scheme == "https" || parsed.Scheme == "http") && parsed.Host != "" && parsed.User == nil
	if !path && !web || strings.ContainsAny(login, `\{}`) {
		return fmt.Errorf("login_url %q: write a path such as /login or an absolute http or https URL, without placeholders", login)
	}
	return nil
}
