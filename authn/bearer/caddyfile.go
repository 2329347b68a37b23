package bearer

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
)

// UnmarshalCaddyfile sets up the scheme from Caddyfile tokens. Syntax:
//
//	bearer [<name>] {
//		realm        <text>
//		service      <name>
//		issuer       <url>
//		audience     <identifier>...|*
//		tenants      <id>...|*
//		jwks         <url or file> {
//			bearer_token_file <path>
//		}
//		ca_file      <path>
//		allow_http   <host>...
//		key_file     <path>...
//		hmac_secret  <secret>|base64:<secret>
//		algorithms   <name>...
//		clock_skew   <duration>
//		profile      at+jwt
//		token_from   header|query|cookie|form [<name>]
//		token_from   websocket
//		accept_id_tokens
//		client_claims <path>...
//		user_claim   <path>
//		scope_claims <path>...
//		role_claims  <path>...
//		introspection <url>|auto {
//			client_id     <id>
//			client_secret <secret>
//			client_auth   client_secret_basic|client_secret_post|private_key_jwt
//			key_file      <path>
//			cache         <duration>
//		}
//		dpop         off|optional|required
//		dpop_nonce
//		certificate_bound off|optional|required
//		token_cache <size>|off
//	}
func (b *Bearer) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	start, err := block.Begin(d)
	if err != nil {
		return err
	}
	err = block.Read(d, block.Lines{
		"realm":            block.String(&b.Realm),
		"service":          block.String(&b.Service),
		"issuer":           block.String(&b.Issuer),
		"audience":         block.Strings(&b.Audiences),
		"jwks":             b.readJWKS,
		"tenants":          block.Strings(&b.Tenants),
		"ca_file":          block.String(&b.CAFile),
		"allow_http":       block.Strings(&b.AllowHTTP),
		"key_file":         block.Strings(&b.KeyFiles),
		"hmac_secret":      b.HMACSecret.ReadLine,
		"algorithms":       block.Strings(&b.Algorithms),
		"clock_skew":       b.readSkew,
		"profile":          block.String(&b.Profile),
		"token_from":       b.readLocation,
		"client_claims":    block.Strings(&b.ClientClaims),
		"accept_id_tokens": block.Flag(&b.AcceptIDTokens),
		"user_claim":       block.String(&b.UserClaim),
		"scope_claims":     block.Strings(&b.ScopeClaims),
		"role_claims":      block.Strings(&b.RoleClaims),
		"dpop":             block.String(&b.DPoP),
		"dpop_nonce":       block.Flag(&b.DPoPNonce),

		"certificate_bound": block.String(&b.CertificateBound),
		"introspection":     b.readIntrospection,
		"token_cache":       b.readCacheSize,
	})
	if err != nil {
		return err
	}
	return start.Wrap(b.check())
}

func (b *Bearer) readSkew(d *caddyfile.Dispenser) error {
	if b.ClockSkew != nil {
		return d.Err("clock_skew is written twice: keep one")
	}
	b.ClockSkew = new(caddy.Duration)
	return block.Duration(b.ClockSkew)(d)
}

// readCacheSize reads a size such as 64MiB.
func (b *Bearer) readCacheSize(d *caddyfile.Dispenser) error {
	if b.TokenCache != nil {
		return d.Err("token_cache is written twice: keep one")
	}
	var text string
	if !d.AllArgs(&text) {
		return d.Err("write `token_cache <size>` or `token_cache off`")
	}
	b.TokenCache = new(uint64)
	if text == "off" {
		return nil
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 {
		return d.Errf("%q is no size: write for example 64MiB, or off", text)
	}
	*b.TokenCache = size
	return nil
}

func (b *Bearer) readIntrospection(d *caddyfile.Dispenser) error {
	if b.Introspection != nil {
		return d.Err("introspection is written twice: keep one")
	}
	asked := new(Introspection)
	b.Introspection = asked
	if !d.AllArgs(&asked.Endpoint) {
		return d.Err("write `introspection <url>` or `introspection auto`")
	}
	cache := caddy.Duration(-1)
	err := block.Read(d, block.Lines{
		"client_id":     block.String(&asked.ClientID),
		"client_secret": block.Secret(&asked.ClientSecret),
		"client_auth":   block.String((*string)(&asked.ClientAuth)),
		"key_file":      block.String(&asked.KeyFile),
		"cache":         block.Duration(&cache),
	})
	if cache >= 0 {
		asked.Cache = &cache
	}
	return err
}

func (b *Bearer) readLocation(d *caddyfile.Dispenser) error {
	arguments := d.RemainingArgs()
	if len(arguments) < 1 || len(arguments) > 2 {
		return d.Err("write `token_from header|query|cookie|form [<name>]` or `token_from websocket`")
	}
	location := authn.Location{Kind: authn.LocationKind(arguments[0])}
	if len(arguments) == 2 {
		location.Name = arguments[1]
	}
	if err := checkLocation(location); err != nil {
		return d.WrapErr(err)
	}
	if slices.Contains(b.TokenFrom, location) {
		return d.Err("this location is written twice: keep one")
	}
	b.TokenFrom = append(b.TokenFrom, location)
	return nil
}

var _ caddyfile.Unmarshaler = (*Bearer)(nil)
