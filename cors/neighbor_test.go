package cors_test

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// neighbor is a handler of another plugin. Several public plugins register the
// name `cors`, and a second registration ends Caddy with a panic.
type neighbor struct{}

func (neighbor) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.cors", New: func() caddy.Module { return neighbor{} }}
}

// TestNeighbor registers what such a plugin registers. It panics where this
// package claims one of the names.
func TestNeighbor(t *testing.T) {
	caddy.RegisterModule(neighbor{})
	httpcaddyfile.RegisterDirective("cors", func(httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) { return nil, nil })
	httpcaddyfile.RegisterDirectiveOrder("cors", httpcaddyfile.Before, "redir")
	if _, err := adapt(t, ":80 {\ncors\nauth_cors https://web.example\nrespond 200\n}\n"); err != nil {
		t.Error(err)
	}
}
