package securityevents

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

func init() {
	httpcaddyfile.RegisterDirective("auth_events", parse)
	// Ahead of the gates: a transmitter has no token of this site.
	httpcaddyfile.RegisterDirectiveOrder("auth_events", httpcaddyfile.Before, "basic_auth")
}

// parse reads the directive `auth_events <path>`.
func parse(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	start := block.Here(h.Dispenser)
	matchers, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	if len(matchers) == 0 {
		return nil, start.Wrap(errors.New("write `auth_events <path>`: the endpoint answers every request that it gets"))
	}
	handler := new(Handler)
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	return h.NewRoute(matchers, handler), nil
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	auth_events <matcher>
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.Err("auth_events takes a path and no further value")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		return d.Err("auth_events takes no block: its transmitters are in the global option `auth`")
	}
	return nil
}

// ReadBlock sets up the transmitter from Caddyfile tokens, with the dispenser on the
// word `security_events`. Syntax:
//
//	security_events <issuer> {
//		audience          <audience>...
//		jwks              <url or file>
//		token_issuer      <issuer>...
//		authorization     <value>
//		global_revocation <token>
//		poll              [<interval>]
//		push              <url>
//		bearer_token      <token>
//		client_id         <id>
//		client_secret     <secret>
//		scope             <scope>...
//		token_endpoint    <url>
//		ca_file           <path>
//		allow_http        <host>...
//	}
func (t *Transmitter) ReadBlock(d *caddyfile.Dispenser) error {
	start := block.Here(d)
	if err := block.String(&t.Issuer)(d); err != nil {
		return err
	}
	err := block.Read(d, block.Lines{
		"audience":          block.Strings(&t.Audiences),
		"jwks":              block.String(&t.JWKS),
		"token_issuer":      block.Strings(&t.TokenIssuers),
		"authorization":     block.Secret(&t.Authorization),
		"global_revocation": block.Secret(&t.GlobalRevocation),
		"poll":              block.Once(t.readPoll),
		"push":              block.String(&t.Push),
		"bearer_token":      block.Secret(&t.BearerToken),
		"client_id":         block.String(&t.ClientID),
		"client_secret":     block.Secret(&t.ClientSecret),
		"scope":             block.Strings(&t.Scopes),
		"token_endpoint":    block.String(&t.TokenEndpoint),
		"ca_file":           block.String(&t.CAFile),
		"allow_http":        block.Strings(&t.AllowHTTP),
	})
	if err != nil {
		return err
	}
	return start.Wrap(t.check())
}

func (t *Transmitter) readPoll(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() == 0 {
		t.Poll = caddy.Duration(defaultPoll)
		return nil
	}
	if err := block.Duration(&t.Poll)(d); err != nil {
		return err
	}
	if t.Poll == 0 {
		return d.Errf("poll 0: write an interval from %s to %s", minPoll, maxPoll)
	}
	return nil
}

// Interface guard
var _ caddyfile.Unmarshaler = (*Handler)(nil)
