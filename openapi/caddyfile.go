package openapi

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

func init() {
	httpcaddyfile.RegisterDirective("auth_openapi", parse)
	// Behind `encode`, so that a document is changed before it is compressed.
	httpcaddyfile.RegisterDirectiveOrder("auth_openapi", httpcaddyfile.After, "encode")
}

// defaultPath is the path of the document where no matcher is given.
const defaultPath = "/openapi.json"

// parse reads the directive `auth_openapi`.
func parse(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	matchers, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	if matchers == nil {
		matchers = caddy.ModuleMap{"path": h.JSON([]string{defaultPath})}
	}
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(matchers, handler), nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	auth_openapi [<matcher>] {
//		max_size <size>
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	if _, err := block.Begin(d); err != nil {
		return err
	}
	return block.Read(d, block.Lines{"max_size": block.Size(&h.MaxSize)})
}

var _ caddyfile.Unmarshaler = (*Handler)(nil)
