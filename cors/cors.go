// Package cors allows scripts of other origins to call a site, by the CORS protocol of
// the Fetch standard. It fits an authentication gate behind it: scripts can read
// denials like successes, and a request with a credential never passes as a preflight.
package cors

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	library "github.com/rs/cors"

	"github.com/excorp/caddy-require-auth/internal/responsewriter"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler is a middleware that allows scripts of other origins to call a site, by the
// CORS protocol of the Fetch standard.
//
// It answers a preflight with 204. The answer has the Access-Control-Allow-* fields if
// the origin, the method and all header fields are allowed. Otherwise it has none of
// them. An OPTIONS request with a credential, a cookie or a method override is not a
// preflight, because no browser sends these with one. It passes like any other request.
//
// Every other request passes, even from an origin that is not allowed: CORS decides
// what a script may read and protects nothing. The fields are set before the next
// handler runs, so an error has them, too. The Access-Control-* fields of an upstream
// are removed. If two such handlers see a request, the first decides. The documents of
// `protected_resource` are excluded, because any origin may read them.
//
// `Vary: Origin` is added if the response depends on the origin: always, except with
// the origin `*`.
//
// Scripts can always read the response fields that explain a denial: WWW-Authenticate,
// Retry-After, DPoP-Nonce, X-Trace-Id.
type Handler struct {
	// The origins whose scripts may read responses, as browsers send them:
	// `https://web.example`, `http://localhost:3000`. Required. The leftmost label of a
	// host may be `*` for exactly one label: `https://*.example.com` allows
	// `https://app.example.com`, not `https://example.com`. Then every host below the
	// domain is trusted, even one that changes its owner.
	//
	// A single `*` allows every origin. It cannot be used with credentials. `null` is
	// refused: every sandboxed frame on the web has that origin.
	Origins []string `json:"origins,omitempty"`

	// Lets scripts send cookies, client certificates and passwords of the browser, and
	// read the answers. Scripts need no permission for a token that they put into
	// Authorization themselves. With it, any script on one of the origins can act as its
	// visitors. Default: false.
	Credentials bool `json:"credentials,omitempty"`

	// The methods that scripts may use. A script cannot read the answer to another
	// method, not even its status. GET includes HEAD. Default: GET, HEAD, POST, PUT,
	// PATCH, DELETE.
	Methods []string `json:"methods,omitempty"`

	// The request header fields that scripts may set. A list must name Authorization if
	// scripts send tokens. Default: `*`, which allows the fields that a preflight
	// requests, by name.
	Headers []string `json:"headers,omitempty"`

	// Further response header fields that scripts may read. `*` exposes all, and cannot
	// be used with credentials. Default: none.
	Expose []string `json:"expose,omitempty"`

	// The time for which a browser may remember the answer to a preflight, in whole
	// seconds. Browsers limit it to two hours, Firefox to a day. Default: 0, which leaves
	// it to the browser (5 seconds).
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	protocol *library.Cors
	allowed  map[string]bool // Headers, in lower case
	exposed  string
	auth     func() any
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_cors",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision prepares the answers. [Handler.Validate] runs later, so an invalid
// configuration must do no harm here.
func (h *Handler) Provision(ctx caddy.Context) error {
	if _, err := ctx.AppIfConfigured("auth"); err != nil && !errors.Is(err, caddy.ErrNotConfigured) {
		return err
	}
	// The first request that needs the app looks it up again. A later gate that
	// declares its schemes in place creates the app only at its own Provision.
	h.auth = sync.OnceValue(func() any {
		app, _ := ctx.AppIfConfigured("auth")
		return app
	})
	h.allowed = make(map[string]bool, len(h.Headers))
	for _, name := range h.Headers {
		h.allowed[strings.ToLower(name)] = true
	}
	h.exposed = strings.Join(h.exposedFields(), ", ")
	h.protocol = library.New(h.options())
	return nil
}

// Validate refuses a configuration that would open the site more than it seems to.
func (h *Handler) Validate() error { return h.check() }

// options is the configuration for rs/cors.
func (h *Handler) options() library.Options {
	options := library.Options{
		AllowedMethods:   []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"},
		AllowedHeaders:   []string{"*"}, // allowsFields decides
		AllowCredentials: h.Credentials,
		MaxAge:           int(time.Duration(h.MaxAge) / time.Second),
	}
	if len(h.Methods) > 0 {
		options.AllowedMethods = h.Methods
		if slices.Contains(h.Methods, http.MethodGet) {
			options.AllowedMethods = append(slices.Clone(h.Methods), http.MethodHead)
		}
	}
	if h.anyOrigin() {
		options.AllowedOrigins = []string{anyOrigin}
		return options
	}
	// The wildcard of rs/cors matches any text, and rs/cors reflects every Origin field
	// after it has read the first.
	options.AllowOriginVaryRequestFunc = func(r *http.Request, origin string) (bool, []string) {
		return len(r.Header["Origin"]) == 1 && h.names(origin), nil
	}
	return options
}

// exposedFields returns the response fields that scripts may read, each once.
func (h *Handler) exposedFields() []string {
	fields := []string{"WWW-Authenticate", "Retry-After", "DPoP-Nonce", "X-Trace-Id"}
	for _, field := range h.Expose {
		isListed := func(other string) bool { return strings.EqualFold(field, other) }
		if !slices.ContainsFunc(fields, isListed) {
			fields = append(fields, field)
		}
	}
	return fields
}

// ServeHTTP answers a preflight and sets the fields of every other response.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	documents := h.documentsFor(r)
	if documents != nil && IsPreflight(r) {
		documents.AnswerPreflight(w)
		return nil
	}
	if h.isPreflight(r) {
		h.answerPreflight(r).apply(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	answer := h.answerActual(r)
	if answer.allowsCredentials() {
		caddyhttp.SetVar(r.Context(), trustedOriginVar, true)
	}
	// The answer replaces the CORS fields of later handlers and upstreams. A public
	// document has fields of its own.
	writer := responsewriter.New(w, func(header http.Header) {
		if public, _ := caddyhttp.GetVar(r.Context(), PublicDocumentVar).(bool); !public {
			answer.apply(header)
		}
	})
	if documents == nil {
		answer.apply(w.Header())
	}
	err := next.ServeHTTP(writer, r)
	writer.Apply() // an error response does not pass this writer
	return err
}

// trustedOriginVar is the request variable that is true when the origin of the
// request is allowed by name, with this method and with credentials.
const trustedOriginVar = "cors.trusted_origin"

// TrustedOrigin reports whether the site's `auth_cors` allows the origin of the request
// by name, with this method and with credentials. Only then does the site expect a
// cookie on a cross-origin request. The origin `*` is never trusted.
func TrustedOrigin(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), trustedOriginVar).(bool)
	return trusted
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
