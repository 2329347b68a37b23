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

// Handler is a middleware that serves the metadata of protected resources (RFC 9728) at
// `/.well-known/oauth-protected-resource` and below. Every other request passes.
//
// In a Caddyfile the line `protected_resource` of `require_auth` adds it to the site.
// It comes before the gates, because a client that reads a document has no token yet.
//
// The document of `https://api.example.com/mcp` is at
// `/.well-known/oauth-protected-resource/mcp`. A slash at the end of the path makes no
// difference, unless another resource has that path. The document of a single resource
// is also at `/.well-known/oauth-protected-resource`. Any other path below gets 404,
// and never the document of another resource. Paths are compared with case. The query
// matters only if the resource has one.
//
// Documents contain the configuration, and what the gates of the resource require and
// accept. They contain no part of the request, such as its host or a forwarding field.
// They may be cached for an hour and have an ETag. No authorization server is called.
//
// If the resource of a gate has an `authorization_server_facade`, this handler also
// serves the metadata and the endpoints of that server.
//
// Scripts of any origin may read the answers, including the 404, and may send
// `MCP-Protocol-Version`. `auth_cors` on the same site does not change them.
type Handler struct {
	// The resources of the site. At least one is required, and each needs its own path
	// for the document. The documents do not depend on the host of a request. The
	// handler also serves the resources of gates that have the same scheme and host as
	// one of these.
	Resources []Resource `json:"resources"`

	documents documents
	complete  func() documents // includes the resources of gates
	facades   func() facades
	directory func() (Directory, bool)
	logger    *zap.Logger
}

// documents maps canonical paths to the documents there.
type documents map[string]*document

// add refuses a resource whose document has the path of another one.
func (d documents) add(resource *Resource) error {
	path := canonical(resource.MetadataPath())
	if len(path) > maxPath {
		return fmt.Errorf("the path of the resource %.100s… is longer than %d bytes: give it a shorter one", resource.URL, maxPath)
	}
	if other, exists := d[path]; exists {
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

// Provision checks the resources and prepares the paths of their documents.
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
	// The first request that needs the app looks it up again. A gate that declares its
	// schemes in place creates the app only at its own Provision.
	h.directory = sync.OnceValues(func() (Directory, bool) {
		app, _ := ctx.AppIfConfigured("auth")
		directory, ok := app.(Directory)
		return directory, ok
	})
	h.complete = sync.OnceValue(h.withNeighbors)
	h.facades = sync.OnceValue(h.findFacades)
	h.logger = ctx.Logger()
	return nil
}

// withNeighbors adds the resources of gates that are on a host of this handler. A site
// with several resources has a handler for each gate, and each handler must know all
// resources.
func (h *Handler) withNeighbors() documents {
	all := maps.Clone(h.documents)
	directory, found := h.directory()
	if !found {
		return all
	}
	for _, neighbor := range directory.Resources() {
		sameHost := slices.ContainsFunc(h.Resources, func(own Resource) bool { return own.Origin() == neighbor.Origin() })
		listed := slices.ContainsFunc(h.Resources, func(own Resource) bool { return own.URL == neighbor.URL })
		if !sameHost || listed {
			continue
		}
		if err := all.add(&neighbor); err != nil {
			h.logger.Error("a document cannot be served", zap.Error(err))
		}
	}
	return all
}

// ServeHTTP serves a document, or passes the request on.
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
		// A missing document needs the fields as well: otherwise a script would see a
		// network error instead of the 404.
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

// Concerns reports whether a request is for a document, or for a path where this
// handler answers 404. Any origin may read these answers.
func Concerns(r *http.Request) bool {
	if !strings.HasPrefix(r.URL.Path, WellKnown) {
		return false // nearly all requests
	}
	// The first two segments decide.
	segments := strings.SplitN(r.URL.EscapedPath(), "/", 4)
	return canonical(strings.Join(segments[:min(3, len(segments))], "/")) == WellKnown
}

// facts returns the facts of the gates. They are empty if no gate has the resource.
func (h *Handler) facts(resource string) Facts {
	directory, found := h.directory()
	if !found {
		return Facts{}
	}
	facts, _ := directory.ResourceFacts(resource)
	return facts
}

// find returns the document for a request, or nil.
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

// maxPath bounds the paths of documents, in bytes.
const maxPath = 2048

// otherSlash removes the slash at the end of a path, or adds it.
func otherSlash(path string) string {
	if without, slash := strings.CutSuffix(path, "/"); slash {
		return without
	}
	return path + "/"
}

// canonical writes every character of an escaped path in one way, so equal paths are
// equal strings. An escaped slash differs from a slash.
func canonical(escaped string) string {
	segments := strings.Split(escaped, "/")
	for i, segment := range segments {
		segments[i] = url.PathEscape(unescape(segment))
	}
	return strings.Join(segments, "/")
}

// unescape decodes a segment of a path if it can be decoded.
func unescape(segment string) string {
	if decoded, err := url.PathUnescape(segment); err == nil {
		return decoded
	}
	return segment
}

// allowAnyOrigin lets scripts of every origin read the response, but not with the
// credentials of their visitors.
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
