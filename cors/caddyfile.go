package cors

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

func init() {
	// RegisterHandlerDirective would read `auth_cors *` as a matcher.
	httpcaddyfile.RegisterDirective("auth_cors", parseCaddyfile)
	// The directive comes before everything that answers, so every answer has the
	// fields.
	httpcaddyfile.RegisterDirectiveOrder("auth_cors", httpcaddyfile.Before, "request_body")
}

// parseCaddyfile reads the directive. A leading `*` is the origin for all. The matcher
// `*` would mean the same as no matcher.
func parseCaddyfile(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // consume directive name
	var matcher caddy.ModuleMap
	if !firstArgument(h.Dispenser, anyOrigin) {
		var err error
		if matcher, err = h.ExtractMatcherSet(); err != nil {
			return nil, err
		}
	}
	h.Reset()
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(matcher, handler), nil
}

// firstArgument reports whether the next argument is text, and does not consume it.
func firstArgument(d *caddyfile.Dispenser, text string) bool {
	if !d.NextArg() {
		return false
	}
	defer d.Prev()
	return d.Val() == text
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	auth_cors [<matcher>] <origin>... {
//		credentials
//		methods <method>...
//		headers <field>...
//		expose  <field>...
//		max_age <duration>
//	}
//
// The lines with several values may be repeated.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume directive name
	checked := func(line block.Line) block.Line { return block.Checked(line, h.check) }
	origins := checked(func(d *caddyfile.Dispenser) (err error) {
		h.Origins, err = block.List(d)
		return err
	})
	if err := origins(d); err != nil {
		return err
	}
	return block.Read(d, block.Lines{
		"credentials": checked(block.Flag(&h.Credentials)),
		"methods":     checked(block.Strings(&h.Methods)),
		"headers":     checked(block.Strings(&h.Headers)),
		"expose":      checked(block.Strings(&h.Expose)),
		"max_age":     checked(block.Duration(&h.MaxAge)),
	})
}

// Interface guards
var _ caddyfile.Unmarshaler = (*Handler)(nil)
