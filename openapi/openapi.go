// Package openapi says in the OpenAPI document of an upstream what the gates
// in front of it ask for.
package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/http"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/live"
	"github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/survey"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler adds to the OpenAPI 3 document of an upstream, on its way to the
// client, what the gates of the site ask for: the security schemes, which
// operations need which, and the answers 401 and 403. So the Authorize button
// of Swagger UI works although the gate and not the application does the
// authentication.
//
// Only a 200 in JSON is changed. What the document has already stays: its own
// security is joined with that of the gates, its own answers count. A document
// that is too large, or is none, goes on as it is, with a warning in the log.
//
// Gates with `hide all` are not spoken of. A gate whose route has a matcher
// other than path, host, method and not may or may not match: its operations
// are described with and without it.
//
// In a Caddyfile a directive without a matcher is for /openapi.json.
type Handler struct {
	// The largest document that is changed, in bytes. Default: 8 MiB.
	MaxSize uint64 `json:"max_size,omitempty"`

	logger *zap.Logger

	mutex  sync.Mutex
	merged merged
	server *survey.Server
}

// merged is the last document and what became of it.
type merged struct {
	digest   [sha256.Size]byte
	host     string
	document []byte
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
	answer := newCapture(w, h.MaxSize)
	if err := next.ServeHTTP(answer, wholeDocument(r)); err != nil {
		return err
	}
	if !answer.holds() {
		return nil
	}
	document, err := h.merge(answer.body.Bytes(), server, hostOf(r))
	if err != nil {
		h.logger.Warn("the OpenAPI document is left as it is", zap.Error(err))
	} else {
		answer.replace(document)
	}
	answer.serve(r)
	return nil
}

// wholeDocument is the request that the upstream gets: for all of the
// document, in plain text, whatever the client has of it already.
func wholeDocument(r *http.Request) *http.Request {
	asked := new(http.Request)
	*asked = *r
	asked.Method = http.MethodGet
	asked.Header = r.Header.Clone()
	for _, field := range []string{"If-None-Match", "If-Modified-Since", "If-Match", "If-Unmodified-Since", "If-Range", "Range"} {
		asked.Header.Del(field)
	}
	asked.Header.Set("Accept-Encoding", "identity")
	return asked
}

func hostOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// merge returns what becomes of a document. It works on one at a time, and
// remembers the last, so that clients who ask often cost little.
func (h *Handler) merge(text []byte, running *caddyhttp.Server, host string) ([]byte, error) {
	digest := sha256.Sum256(text)
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if h.merged.document != nil && h.merged.digest == digest && h.merged.host == host {
		return h.merged.document, nil
	}
	if h.server == nil {
		server, err := live.Server("", running)
		if err != nil {
			return nil, err
		}
		h.server = server
	}
	document, err := openapi.Parse(text)
	if err != nil {
		return nil, err
	}
	site := Site{Config: new(survey.Config), Server: h.server, Host: host, Describe: describeLive}
	if err := Merge(document, []Site{site}); err != nil {
		return nil, err
	}
	changed, err := openapi.Write(document, "")
	if err != nil {
		return nil, err
	}
	h.merged = merged{digest: digest, host: host, document: changed}
	return changed, nil
}

func describeLive(gate survey.Gate) (Gate, bool) {
	describer, ok := gate.Live.(Describer)
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
