// Package openapi writes into the OpenAPI document of an upstream what the gates
// in front of it require.
package openapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/routes"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler adds the requirements of the site's gates to the OpenAPI 3 document of an
// upstream, on its way to the client. It adds the security schemes, the operations that
// need them, and the answers 401 and 403. So the Authorize button of Swagger UI works
// although the gate and not the application authenticates.
//
// Only a 200 in JSON changes. Existing members stay: the document's own security
// is joined with that of the gates, and its own answers count. A document over
// `max_size`, with more than a million values, or that is not OpenAPI 3 passes
// unchanged, with a warning in the log.
//
// Gates with `hide all` are left out. A gate may or may not match if its route has a
// matcher other than path, host, method and not. Its operations are then described with
// and without it.
//
// In a Caddyfile a directive without a matcher applies to /openapi.json.
type Handler struct {
	// The size of the largest document that changes, in bytes. Default: 8 MiB.
	MaxSize uint64 `json:"max_size,omitempty"`

	logger   *zap.Logger
	versions *versions

	mutex    sync.Mutex // held while a document is merged
	server   *routes.Server
	patterns routes.HostPatterns
}

const defaultMaxSize = 8 << 20

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_openapi",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets the defaults.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.logger = ctx.Logger()
	h.versions = newVersions()
	if h.MaxSize == 0 {
		h.MaxSize = defaultMaxSize
	}
	return nil
}

// ServeHTTP changes the document that the next handler answers with.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return next.ServeHTTP(w, r)
	}
	answer := &capture{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		limit:                 h.MaxSize, versions: h.versions, request: r,
	}
	defer answer.release()
	if err := next.ServeHTTP(answer, wholeDocument(r)); err != nil {
		return err
	}
	if !answer.holds() {
		return nil
	}
	one := h.version(answer.body.Bytes(), server, hostOf(r))
	defer h.versions.release(one)
	answer.release() // a slow client holds no copy of its own
	answer.serve(one)
	return nil
}

// wholeDocument is the request to the upstream: for all of the document, without
// a content coding, whatever part the client has already.
func wholeDocument(r *http.Request) *http.Request {
	request := new(http.Request)
	*request = *r
	request.Method = http.MethodGet
	request.Header = r.Header.Clone()
	for _, field := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"} {
		request.Header.Del(field)
	}
	request.Header.Set("Accept-Encoding", "identity")
	return request
}

func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// version returns a changed document for one client. It changes one document at a
// time and keeps the last ones, so that repeated requests cost little.
func (h *Handler) version(text []byte, running *caddyhttp.Server, host string) *version {
	origin := source{digest: sha256.Sum256(text)}
	h.mutex.Lock()
	defer h.mutex.Unlock()
	err := h.readServer(running)
	origin.hosts = h.patterns.Match(host)
	if merged := h.versions.find(origin); merged != nil {
		return merged
	}
	var changed []byte
	if err == nil {
		changed, err = h.merge(text, host)
	}
	if err != nil {
		h.logger.Warn("the OpenAPI document passes unchanged", zap.Error(err))
		return h.versions.add(&version{source: origin, document: bytes.Clone(text)})
	}
	return h.versions.add(&version{source: origin, document: changed, tag: tagOf(changed)})
}

func (h *Handler) readServer(running *caddyhttp.Server) error {
	if h.server != nil {
		return nil
	}
	server, err := routes.OfServer("", running)
	if err != nil {
		return err
	}
	h.server, h.patterns = server, server.HostPatterns()
	return nil
}

func (h *Handler) merge(text []byte, host string) ([]byte, error) {
	document, err := openapi.Parse(text)
	if err != nil {
		return nil, err
	}
	site := Site{Config: new(routes.Config), Server: h.server, Host: host, Describe: describeLive}
	if err := Merge(document, []Site{site}); err != nil {
		return nil, err
	}
	return openapi.Write(document, "")
}

func describeLive(gate routes.Gate) (Gate, bool) {
	describer, ok := gate.Live.(GateDescriber)
	if !ok {
		return Gate{}, false
	}
	return describer.DescribeGate(), true
}

// tagOf is a strong ETag.
func tagOf(document []byte) string {
	digest := sha256.Sum256(document)
	return `"` + hex.EncodeToString(digest[:16]) + `"`
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
