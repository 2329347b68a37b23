// Package requireauth is an authentication and authorization gate for Caddy.
//
// It registers the app `auth`, which declares authentication schemes, and the handler
// `require_auth`. The handler passes requests that meet the requirements of a route.
// All others get 401 with a challenge if the caller is unauthenticated, or 403 if the
// caller is not authorized.
package requireauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/denial"
	"github.com/excorp/caddy-require-auth/internal/responsewriter"
	"github.com/excorp/caddy-require-auth/mcp"
	"github.com/excorp/caddy-require-auth/openapi"
	"github.com/excorp/caddy-require-auth/resource"
)

func init() {
	caddy.RegisterModule(new(RequireAuth))
}

// RequireAuth is a gate. It passes a request if one of the accepted schemes
// authenticates the caller and the caller meets the requirements. Otherwise it answers
// itself:
//
//   - 401 with one challenge for each accepted scheme if the caller is unauthenticated,
//   - 403 if the caller is authenticated and not authorized,
//   - 400 if the request is ambiguous, for example with two tokens,
//   - 425 if a credential comes in the early data of TLS, see below,
//   - 431 if a credential is over 16 KiB,
//   - 429 if the client failed too often with a password or a key,
//   - 503 if the keys or the introspection endpoint are unavailable.
//
// The body is short, in the format that the client accepts, and carries a
// trace id; the cause is in the log only. A site with error routes
// (`handle_errors`) shows its own pages instead.
//
// Browsers send no credentials with a CORS preflight. The gate answers one that
// no `auth_cors` has answered: 204, empty, without CORS fields. Nothing behind the
// gate is asked, unless `preflight` says that the upstream answers. An OPTIONS
// request with a credential is an ordinary request.
//
// The gate accepts no credential in early data (0-RTT) of resumed HTTP/3 connections.
// Early data can be replayed, and its source address is unverified. The answer is 425.
// Clients then repeat the request after the handshake (RFC 8470 §5.2).
//
// Several gates may match one request. All of them must let it pass. A credential
// is verified once, apart from what depends on the gate: an audience, and a proof
// of possession, which is used up once. Each gate reads the request as it is when
// the gate is reached; what an earlier gate stripped still counts.
//
// The placeholders of an admitted request:
//
// Placeholder | Description
// ------------|------------
// `{http.auth.user.id}` | The user; empty for an anonymous caller and for a client that acts for itself
// `{http.auth.user.scope}` | The granted scopes, separated by spaces, without those that have a comma
// `{http.auth.user.<path>}` | A claim; lists are separated by commas, without members that have one. A string with a comma reads as a list and is empty, apart from the names of a person in OpenID Connect such as `name`
// `{http.auth.client.id}` | The OAuth client, if the token names one
// `{http.auth.scheme}` | The name of the scheme that accepted the caller
//
// And on a denial, for error routes:
//
// Placeholder | Description
// ------------|------------
// `{http.auth.error}` | The code, for example `insufficient_scope`
// `{http.auth.error_description}` | A sentence for the client
// `{http.auth.required_scopes}` | The required scopes, separated by spaces
// `{http.auth.trace_id}` | The trace id
type RequireAuth struct {
	// The names of the accepted schemes, as declared in the app `auth` or in
	// `inline`. Default: those in `inline`, else the only one of the app.
	Schemes []string `json:"schemes,omitempty"`

	// Schemes of this gate alone, by name.
	InlineRaw map[string]json.RawMessage `json:"inline,omitempty" caddy:"namespace=auth.schemes inline_key=scheme"`

	// Passes requests without credentials as anonymous. Invalid credentials are still
	// denied. Requirements apply to authenticated callers.
	Optional bool `json:"optional,omitempty"`

	// The requirements for an authenticated caller.
	authz.Requirement

	// Requires what an OpenAPI document declares for each operation: its security
	// schemes and scopes. The other requirements of the gate apply on top. Not with
	// `optional` or `mcp`.
	OpenAPI *openapi.Policy `json:"openapi,omitempty"`

	// Makes the gate a protected resource for OAuth clients (RFC 9728). Challenges name
	// the URL of its metadata, and its URL is an accepted audience here. The handler
	// `protected_resource` serves the document. A Caddyfile adds it automatically.
	Resource *resource.Resource `json:"protected_resource,omitempty"`

	// Makes the gate one for an MCP server: scopes for single operations, and
	// protection against browsers of other sites.
	MCP *mcp.Policy `json:"mcp,omitempty"`

	// Answers a denial as a 404 with the status, the fields and the body of a missing
	// page. `denied` does so for 403, and `all` for every denial, also for 503. The
	// response time can still reveal a gate, for example where a password is checked.
	// Default: off.
	Hide string `json:"hide,omitempty"`

	// Header fields for the upstream: their names, and their values with placeholders.
	// They describe the caller whom this gate admitted; a caller who passes an `optional`
	// gate without a credential sets none. An empty value sets no field. The site removes
	// fields and trailers of these names, in any spelling, from every request before any
	// route matches. This also protects routes without a gate. The site is all that the
	// host of the request can reach on this server. A field in which a scheme looks for a
	// credential is removed by the gate, after it has verified it.
	Forward map[string]string `json:"forward,omitempty"`

	// Ends responses whose credential ends while they run: the credential expires or is
	// revoked, or its key is withdrawn. `streams` ends event streams (`text/event-stream`)
	// and upgraded connections such as WebSockets. `all` ends every response, for example a
	// long download. The response breaks off within a second, and the log has a record
	// `stream ended`. Responses without a credential go on. With `report_only` nothing
	// ends, and the record is `stream would end`. Default: off.
	EndStreams string `json:"end_streams,omitempty"`

	// Header fields with the identity of the caller as a short JWT, by their names. An
	// upstream can verify it and need not trust the network: the keys are at
	// `/.well-known/auth/jwks.json`. The JWT has `iss`, `aud`, `iat` and `exp`; `sub`, the
	// user; `client_id`; `idp`, the issuer of the credential; `scope`; `act`; and the
	// chosen claims. Only those that the caller has are there. A caller who passes an
	// `optional` gate without a credential sets no field. Fields of these names that a
	// client sent are removed as those of `forward` are.
	ForwardSigned map[string]*SignedIdentity `json:"forward_signed,omitempty"`

	// The answer to a CORS preflight: `answer` is that of the gate, `forward` is that of
	// an upstream with a CORS configuration of its own. A preflight goes on without a
	// body, without identity fields and without a credential in its query. Of the
	// upstream's answer only the status, `Access-Control-*` and `Vary` pass. At a gate
	// with `mcp` only a preflight from an accepted origin goes on. Default: `answer`; the
	// log then says once for each site how to change it.
	Preflight string `json:"preflight,omitempty"`

	// Lets every request pass, also those that the gate would deny. The decision is
	// logged and counted as `would_deny`. A caller who would be denied has no
	// identity: `forward` sets no fields. CORS preflights go on unchanged. Use it to
	// add a gate to a running site, and remove the line then. Default: off.
	ReportOnly bool `json:"report_only,omitempty"`

	// Keeps the credential from the upstream. A denied request reaches error
	// routes without any credential of any scheme.
	StripCredentials bool `json:"strip_credentials,omitempty"`

	// The format of the body of denials: `auto`, `problem`, `json`, `html` or
	// `text`. Default: `auto`, by the Accept field of the request.
	ErrorFormat denial.Format `json:"error_format,omitempty"`

	// The URL for signing in, to which the HTML page of a 401 links.
	LoginURL string `json:"login_url,omitempty"`

	app       *App
	outermost caddy.Module // the handler around the gate in a route of its server
	schemes   []namedScheme
	groups    []*schemeGroup
	locations []authn.Location // of credentials of the schemes

	operations atomic.Pointer[operations] // of the OpenAPI document; nil until there is one

	forward forwarding
	pages   errorPages
	missing caddyhttp.HandlerError // the error of a missing page

	seen authn.Gate // what schemes may know of the gate

	csrf   *http.CrossOriginProtection
	events emitter
	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*RequireAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.require_auth",
		New: func() caddy.Module { return new(RequireAuth) },
	}
}

// The values of [RequireAuth.Hide].
const (
	hideDenied = "denied"
	hideAll    = "all"
)

// Provision finds the schemes and prepares the requirements.
func (g *RequireAuth) Provision(ctx caddy.Context) error {
	g.logger = ctx.Logger()
	g.pages = findErrorPages(ctx)
	g.csrf = http.NewCrossOriginProtection()
	if g.ReportOnly {
		g.logger.Warn("report_only: this gate lets every request pass", zap.Strings("schemes", g.Schemes), zap.String("required", g.Describe()))
	}
	if g.Hide != "" || g.OpenAPI != nil {
		g.missing = missingPage(ctx)
	}
	if err := g.check(); err != nil {
		return err
	}
	app, err := ctx.App("auth")
	if err != nil {
		return fmt.Errorf("loading the app auth: %w", err)
	}
	g.app = app.(*App)
	if err := g.app.checkAnswers(ctx); err != nil {
		return err
	}
	if err := g.loadSchemes(ctx); err != nil {
		return err
	}
	if err := g.checkTransports(); err != nil {
		return err
	}
	if g.events, err = newEmitter(ctx); err != nil {
		return err
	}
	g.forward = newForwarding(g.Forward)
	if err := g.provisionSigned(); err != nil {
		return err
	}
	site := routesAround(ctx)
	g.seen = authn.Gate{AudienceAsURL: g.MCP != nil, Hidden: g.Hide == hideAll, SiteOrigin: func(ofRequest, path string) string {
		return g.app.registry.originFor(site, ofRequest, path)
	}}
	var servers *caddyhttp.App
	servers, g.outermost = outermostHandler(ctx)
	g.app.sites.add(servers, forwardingGate{g.outermost, g.forward.names}, g.app)
	if g.Resource != nil {
		if err := g.Resource.Check(); err != nil {
			return fmt.Errorf("protected_resource: %w", err)
		}
		if err := g.openFacade(ctx); err != nil {
			return err
		}
		g.seen.Audience, g.seen.Origin = g.Resource.URL, g.Resource.Origin()
		g.app.registry.addResource(g, site)
	}
	return g.provisionRequirement(ctx)
}

// provisionRequirement prepares what the gate requires, of operations too.
func (g *RequireAuth) provisionRequirement(ctx caddy.Context) error {
	err := g.Requirement.Provision(ctx, g.app.ScopeImplies, g.MCP.Scopes()...)
	if err == nil && g.OpenAPI != nil {
		err = g.OpenAPI.Follow(ctx, g.useDocument)
	}
	return err
}

// Cleanup stops following the OpenAPI document.
func (g *RequireAuth) Cleanup() error { return g.OpenAPI.Release() }

func (g *RequireAuth) loadSchemes(ctx caddy.Context) error {
	inline, err := loadSchemes(ctx, g, "InlineRaw")
	if err != nil {
		return err
	}
	names := slices.Clone(g.Schemes)
	for _, name := range slices.Sorted(maps.Keys(inline)) {
		if g.app.schemes[name] != nil {
			return fmt.Errorf("scheme %q is declared in the app too: give one another name", name)
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		g.app.declare([]authn.Scheme{inline[name]})
	}
	declared := &App{schemes: maps.Clone(g.app.schemes), store: g.app.store}
	maps.Copy(declared.schemes, inline)
	if g.schemes, err = declared.choose(names); err != nil {
		return err
	}
	g.groups = groupSchemes(g.allSchemes())
	g.locations = credentialLocations(g.groups)
	g.app.registry.addSchemes(g, inline)
	return nil
}

// check reports what is wrong with the configuration as it is written.
func (g *RequireAuth) check() error {
	if g.Hide != "" && g.Hide != hideDenied && g.Hide != hideAll {
		return fmt.Errorf("hide %q: write `hide`, or `hide all`", g.Hide)
	}
	if err := g.ErrorFormat.Check(); err != nil {
		return err
	}
	if err := checkForward(g.Forward); err != nil {
		return err
	}
	if err := checkCondition(g.If); err != nil {
		return err
	}
	if err := checkSignedIdentities(g.ForwardSigned, g.Forward); err != nil {
		return err
	}
	if err := checkPreflight(g.Preflight); err != nil {
		return err
	}
	if err := checkEndStreams(g.EndStreams); err != nil {
		return err
	}
	if err := checkLoginURL(g.LoginURL); err != nil {
		return err
	}
	if err := g.checkMCP(); err != nil {
		return err
	}
	if err := g.checkOpenAPI(); err != nil {
		return err
	}
	return g.Requirement.Check()
}

// checkMCP reports what is wrong with a gate for an MCP server.
func (g *RequireAuth) checkMCP() error {
	if g.MCP == nil {
		return nil
	}
	if g.Resource != nil && strings.HasSuffix(g.Resource.URL, "/") {
		return errors.New("mcp: clients leave the slash at the end of a resource out: write protected_resource without it")
	}
	if slices.Contains(slices.Concat(g.Scopes, g.AnyScopes), "offline_access") {
		return errors.New("mcp: a server cannot require offline_access: remove it")
	}
	return g.MCP.Check()
}

// checkTransports refuses tokens in the query at a gate for an MCP server, which
// may never take them.
func (g *RequireAuth) checkTransports() error {
	if g.MCP == nil {
		return nil
	}
	for i := range g.schemes {
		describer, ok := g.schemes[i].Scheme.(capability.MetadataProvider)
		if ok && slices.Contains(describer.Metadata().BearerMethods, "query") {
			return fmt.Errorf("mcp: MCP forbids tokens in the query: take `token_from query` out of the scheme %s, or accept another one", g.schemes[i].name)
		}
	}
	return nil
}

// ServeHTTP takes a request through the gate.
func (g *RequireAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	keepToHTTPRequest(r.Header)
	state := stateOf(r)
	state.request.Expect(g.app.registry.credentialNames.Load())
	if r.Method == http.MethodOptions && g.isPreflight(state, r) {
		if g.ReportOnly {
			return next.ServeHTTP(w, r)
		}
		return g.servePreflight(w, r, state, next)
	}
	state.request.SetGate(&g.seen)
	if g.MCP != nil {
		state.setReadDeadline = http.NewResponseController(w).SetReadDeadline
		if state.explained != nil { // its body is in memory
			state.setReadDeadline = func(time.Time) error { return nil }
		}
	}
	var d decision
	g.decide(state, r, &d)
	g.observe(state, r, &d)
	g.stripCredential(state, &d)
	switch {
	case !d.Allowed && g.ReportOnly:
		return next.ServeHTTP(w, r)
	case !d.Allowed:
		return g.deny(w, r, state, &d)
	}
	writer := g.allow(w, r, state, &d)
	if g.EndStreams != "" && d.outcome.Identity != nil {
		if writer == nil {
			writer = responsewriter.New(w, func(http.Header) {})
		}
		defer g.watch(writer, r, state, &d)()
	}
	if d.lists {
		next = g.filterLists(next, d.outcome.Identity)
	}
	if writer == nil {
		return next.ServeHTTP(w, r)
	}
	err := next.ServeHTTP(writer, r)
	if err != nil {
		writer.Apply() // the error is answered past this writer
	}
	return err
}

// filterLists removes from the lists of an MCP answer what the caller may not use.
func (g *RequireAuth) filterLists(next caddyhttp.Handler, caller *authn.Identity) caddyhttp.Handler {
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		lists := g.MCP.FilterLists(w, r, func(scopes []string) bool { return g.Holds(caller, scopes) })
		if err := next.ServeHTTP(lists, r); err != nil {
			return err
		}
		if err := lists.Close(); err != nil {
			g.logger.Error("the answer to a list does not pass", zap.Error(err))
		}
		return nil
	})
}

// Interface guards
var (
	_ caddy.Provisioner           = (*RequireAuth)(nil)
	_ caddy.CleanerUpper          = (*RequireAuth)(nil)
	_ caddyhttp.MiddlewareHandler = (*RequireAuth)(nil)
)
