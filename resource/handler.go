package resource

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/cors"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler is a middleware that serves the metadata of protected resources
// (RFC 9728) at `/.well-known/oauth-protected-resource` and below. Every other
// request goes on.
//
// In a Caddyfile it is not written by itself: the line `protected_resource` of
// `require_auth` adds it to the site, ahead of the gates, because a client that
// reads a document has no token yet.
//
// The document of `https://api.example.com/mcp` stands at
// `/.well-known/oauth-protected-resource/mcp`. With a slash at the end, or
// without the one that the resource has, the same document is served, unless
// that is the place of another resource. Where there is a single resource, its
// document stands at `/.well-known/oauth-protected-resource` too. Any other
// path below is answered with 404, and never with the document of another
// resource. Paths are compared with case; a query matters only where the
// resource has one itself.
//
// Documents hold what is configured and what the gates of the resource say of
// themselves, never anything from the request: neither its host nor a
// forwarding field. They are served without asking an authorization server, may
// be kept for an hour, and have an ETag.
//
// A gate whose resource has an `authorization_server_facade` has this handler serve
// the metadata and the endpoints of that server, too.
//
// Scripts of any origin may read the answers, the 404 included, and may send
// `MCP-Protocol-Version` along. `auth_cors` on the same site leaves them alone.
type Handler struct {
	// The resources of the site. At least one is needed, and no two may have
	// their document at the same path. Whatever the host of a request, the same
	// documents are served. Resources that gates name count too, if they have
	// the same scheme and host as one of these.
	Resources []Resource `json:"resources"`

	documents documents
	complete  func() documents // with the resources that gates name
	facades   func() facades
	directory func() (Directory, bool)
	logger    *zap.Logger
}

// documents are found by the canonical path of where they stand.
type documents map[string]*document

// add refuses a resource whose document would take the place of another one's.
func (d documents) add(resource *Resource) error {
	path := canonical(resource.MetadataPath())
	if len(path) > maxPath {
		return fmt.Errorf("the path of the resource %.100s… is longer than %d bytes: give it a shorter one", resource.URL, maxPath)
	}
	if other, taken := d[path]; taken {
		return fmt.Errorf("the resources %s and %s would have their document at the same path: keep one, or give them different paths", other.URL, resource.URL)
	}
	_, _, query := resource.split()
	d[path] = &document{Resource: resource, query: strings.TrimPrefix(query, "?")}
	return nil
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.protected_resource",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision checks the resources and prepares where their documents stand.
func (h *Handler) Provision(ctx caddy.Context) error {
	if len(h.Resources) == 0 {
		return errors.New("protected_resource without a resource: write the URL by which clients call it")
	}
	h.documents = make(documents, len(h.Resources))
	for i := range h.Resources {
		resource := &h.Resources[i]
		if resource.Facade != nil {
			return errors.New("authorization_server_facade belongs to a gate: write it in the protected_resource of require_auth")
		}
		if err := resource.Check(); err != nil {
			return fmt.Errorf("resource %d: %w", i+1, err)
		}
		if err := h.documents.add(resource); err != nil {
			return err
		}
	}
	if _, err := ctx.AppIfConfigured("auth"); err != nil && !errors.Is(err, caddy.ErrNotConfigured) {
		return err
	}
	// Looked up again by the first request that needs it: a gate that declares
	// its schemes in place creates the app only when it is provisioned itself.
	h.directory = sync.OnceValues(func() (Directory, bool) {
		app, _ := ctx.AppIfConfigured("auth")
		directory, ok := app.(Directory)
		return directory, ok
	})
	h.complete = sync.OnceValue(h.withNeighbours)
	h.facades = sync.OnceValue(h.findFacades)
	h.logger = ctx.Logger()
	return nil
}

// withNeighbours adds the resources that gates name and that stand on a host
// of this handler: a site with a gate for each of its resources has a handler
// for each of them, and any of these has to know all.
func (h *Handler) withNeighbours() documents {
	all := maps.Clone(h.documents)
	directory, found := h.directory()
	if !found {
		return all
	}
	for _, neighbour := range directory.Resources() {
		sameHost := slices.ContainsFunc(h.Resources, func(own Resource) bool { return own.Origin() == neighbour.Origin() })
		known := slices.ContainsFunc(h.Resources, func(own Resource) bool { return own.URL == neighbour.URL })
		if !sameHost || known {
			continue
		}
		if err := all.add(&neighbour); err != nil {
			h.logger.Error("a document cannot be served", zap.Error(err))
		}
	}
	return all
}

// ServeHTTP serves a document, or lets the request go on.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if !Concerns(r) {
		if served := h.facades().find(r); served != nil {
			served.serve(w, r)
			return nil
		}
		return next.ServeHTTP(w, r)
	}
	caddyhttp.SetVar(r.Context(), cors.PublicDocumentVar, true)
	if r.Method == http.MethodOptions {
		// Also where there is no document: else a script would see a broken
		// network instead of the 404.
		AnswerPreflight(w)
		return nil
	}
	allowAnyOrigin(w.Header())
	document := h.find(r)
	if document == nil {
		return caddyhttp.Error(http.StatusNotFound, nil)
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", allowed)
		return caddyhttp.Error(http.StatusMethodNotAllowed, nil)
	}
	return document.serve(w, r, h.facts(document.URL), h.logger)
}

// allowed are the methods of documents.
const allowed = "GET, HEAD, OPTIONS"

// Concerns reports whether a request is for a document, or for a path where
// this handler answers that there is none. All of that may be read from any
// origin.
func Concerns(r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, WellKnown) {
		return false // nearly all requests
	}
	// What decides are the first two segments.
	segments := strings.SplitN(r.URL.EscapedPath(), "/", 4)
	return canonical(strings.Join(segments[:min(3, len(segments))], "/")) == WellKnown
}

// facts returns what the gates say; nothing where no gate knows the resource.
func (h *Handler) facts(resource string) Facts {
	directory, found := h.directory()
	if !found {
		return Facts{}
	}
	facts, _ := directory.ResourceFacts(resource)
	return facts
}

// find returns the document that a request is for, or nil.
func (h *Handler) find(r *http.Request) *document {
	escaped, all := r.URL.EscapedPath(), h.complete()
	if len(escaped) > maxPath {
		return nil
	}
	path := canonical(escaped)
	found, exact := all[path]
	if !exact {
		found = all[otherSlash(path)]
	}
	if found != nil && (found.query == "" || found.query == r.URL.RawQuery) {
		return found
	}
	if len(all) == 1 && (path == WellKnown || path == WellKnown+"/") {
		for _, only := range all {
			return only
		}
	}
	return nil
}

// maxPath bounds the paths that are looked for, in bytes.
const maxPath = 2048

// otherSlash takes the slash at the end of a path away, or adds it.
func otherSlash(path string) string {
	if without, slash := strings.CutSuffix(path, "/"); slash {
		return without
	}
	return path + "/"
}

// canonical writes every character of an escaped path in one way, so that
// equal paths are equal strings; an escaped slash stays apart from a slash.
func canonical(escaped string) string {
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(unescape(segment))
	}
	return strings.Join(segments, "/")
}

// unescape decodes a segment of a path, if it can be decoded.
func unescape(segment string) string {
	if decoded, err := url.PathUnescape(segment); err == nil {
		return decoded
	}
	return segment
}

// allowAnyOrigin lets scripts of every origin read the response, but not with
// the credentials of their visitors.
func allowAnyOrigin(header http.Header) {
	header.Set("Access-Control-Allow-Origin", "*")
	header.Del("Access-Control-Allow-Credentials")
}

// AnswerPreflight answers OPTIONS, from the configuration alone.
func AnswerPreflight(w http.ResponseWriter) {
	header := w.Header()
	allowAnyOrigin(header)
	header.Set("Allow", allowed)
	header.Set("Access-Control-Allow-Methods", "GET, HEAD")
	header.Set("Access-Control-Allow-Headers", "Accept, Content-Type, MCP-Protocol-Version")
	header.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
