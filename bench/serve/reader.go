package serve

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(new(reader))
	httpcaddyfile.RegisterHandlerDirective("bench_reader", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return new(reader), nil
	})
	httpcaddyfile.RegisterDirectiveOrder("bench_reader", httpcaddyfile.Before, "respond")
}

// reader is an upstream that reads the body of a request and answers `ok`. A gate that
// reads the body is measured before it, because every MCP server reads the body.
type reader struct{}

// CaddyModule returns the Caddy module information.
func (*reader) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_reader", New: func() caddy.Module { return new(reader) }}
}

// ServeHTTP reads the body and answers.
func (*reader) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	if _, err := io.ReadAll(r.Body); err != nil {
		return err
	}
	_, err := io.WriteString(w, "ok")
	return err
}
