// Package cors lets scripts of other origins call a site, by the CORS protocol
// of the Fetch standard, in a way that fits an authentication gate behind it:
// the gate's refusals can be read like its successes, and nothing that carries
// a credential passes for a preflight.
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

// Handler is a middleware that lets scripts of other origins call a site, by
// the CORS protocol of the Fetch standard.
//
// A preflight is answered here with 204 and goes no further: with the
// Access-Control-Allow-* fields where origin, method and header fields are all
// allowed, without any of them where they are not. An OPTIONS request that only
// looks like a preflight goes on like any other request: no browser sends a
// credential, a cookie or a method override along with a preflight.
//
// Every other request goes on too, also from an origin that is not allowed:
// CORS decides what a script may read and guards nothing. The fields are set
// before the next handler runs, so that an error carries them as a success does.
// The Access-Control-* fields of the response are exactly those of this handler;
// what an upstream sets is dropped, never doubled. Of two such handlers on one
// request the first decides. Only the documents that `protected_resource` itself
// serves are left alone: any origin may read those.
//
// `Vary: Origin` is added wherever the response depends on the origin, which is
// always but with the origin `*`.
//
// These response fields are exposed always, because no script could act on a
// refusal without them: WWW-Authenticate, Retry-After, DPoP-Nonce, X-Trace-Id.
type Handler struct {
	// The origins whose scripts may read responses, each as browsers send it:
	// `https://web.example`, `http://localhost:3000`. There is no default; at
	// least one is needed. The leftmost label of a host may be `*`, which stands
	// for exactly one label: `https://*.example.com` allows
	// `https://app.example.com`, not `https://example.com`. Every host below
	// the domain is then trusted, also one that somebody else may come to own.
	//
	// A single `*` allows every origin, and cannot be used with credentials.
	// `null` is refused: every sandboxed frame on the web has that origin.
	Origins []string `json:"origins,omitempty"`

	// Whether scripts may send cookies, client certificates and the passwords
	// that the browser remembers, and read what they are answered. Default: no.
	// A token that a script puts into Authorization itself needs no such leave.
	// With it, whoever can run a script on one of the origins can act as its
	// visitors here.
	Credentials bool `json:"credentials,omitempty"`

	// The methods that scripts may use. A request with another method gets no
	// fields at all, so that not even its status can be read.
	// Default: GET, HEAD, POST, PUT, PATCH, DELETE. GET brings HEAD with it.
	Methods []string `json:"methods,omitempty"`

	// The request header fields that scripts may set. Default: `*`, which
	// allows what the preflight asks for, by name. A list has to name
	// Authorization too where scripts send tokens.
	Headers []string `json:"headers,omitempty"`

	// Response header fields that scripts may read, besides those exposed
	// always. `*` exposes all, and cannot be used with credentials.
	Expose []string `json:"expose,omitempty"`

	// How long a browser may remember the answer to a preflight, in whole
	// seconds. Default: 0, which leaves it to the browser (5 seconds). Browsers
	// cut it to two hours at most, Firefox to a day.
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

// Provision prepares the answers. A configuration that [Handler.Validate]
// refuses does no harm here.
func (h *Handler) Provision(ctx caddy.Context) error {
	if _, err := ctx.AppIfConfigured("auth"); err != nil && !errors.Is(err, caddy.ErrNotConfigured) {
		return err
	}
	// Looked up again by the first request that needs it: a gate behind this
	// handler that declares its schemes in place creates the app only when it
	// is provisioned itself.
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

// Validate refuses what would open the site wider than it says.
func (h *Handler) Validate() error { return h.check() }

// options says to rs/cors what is configured.
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
	// The wildcard of rs/cors stands for any text, and it reflects every Origin
	// field after reading the first.
	options.AllowOriginVaryRequestFunc = func(r *http.Request, origin string) (bool, []string) {
		return len(r.Header["Origin"]) == 1 && h.names(origin), nil
	}
	return options
}

// exposedFields returns the response fields that scripts may read, each once.
func (h *Handler) exposedFields() []string {
	fields := []string{"WWW-Authenticate", "Retry-After", "DPoP-Nonce", "X-Trace-Id"}
	for _, field := range h.Expose {
		known := func(other string) bool { return strings.EqualFold(field, other) }
		if !slices.ContainsFunc(fields, known) {
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
		caddyhttp.SetVar(r.Context(), TrustedOriginVar, true)
	}
	// The answer replaces what handlers behind, or their upstream, write about CORS. A
	// public document has fields of its own.
	writer := responsewriter.New(w, func(header http.Header) {
		if public, _ := caddyhttp.GetVar(r.Context(), PublicDocumentVar).(bool); !public {
			answer.apply(header)
		}
	})
	if documents == nil {
		answer.apply(w.Header())
	}
	err := next.ServeHTTP(writer, r)
	writer.Apply() // an error is answered past this writer
	return err
}

// TrustedOriginVar is the request variable that is true when the origin of the
// request is allowed by name, with this method and with credentials.
const TrustedOriginVar = "cors.trusted_origin"

// TrustedOrigin reports whether the site's `auth_cors` allows the origin of the
// request by name, with this method and with credentials: whether a cookie on a
// cross-origin request is there by the site's own wish. The origin `*` trusts
// nobody.
func TrustedOrigin(r *http.Request) bool {
	trusted, _ := caddyhttp.GetVar(r.Context(), TrustedOriginVar).(bool)
	return trusted
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
