package bearer

import (
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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
		"jwks":             block.Once(b.readJWKS),
		"tenants":          block.Strings(&b.Tenants),
		"ca_file":          block.String(&b.CAFile),
		"allow_http":       block.Strings(&b.AllowHTTP),
		"key_file":         block.Strings(&b.KeyFiles),
		"hmac_secret":      b.HMACSecret.ReadLine,
		"algorithms":       block.Strings(&b.Algorithms),
		"clock_skew":       block.Pointer(&b.ClockSkew, block.Duration),
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
		"introspection":     block.Once(b.readIntrospection),
		"token_cache":       block.Pointer(&b.TokenCache, cacheSize),
	})
	if err != nil {
		return err
	}
	return start.Wrap(b.check())
}

// cacheSize reads a size such as 64MiB, or off.
func cacheSize(size *uint64) block.Line {
	read := block.Size(size)
	return func(d *caddyfile.Dispenser) error {
		if d.CountRemainingArgs() == 1 && d.NextArg() {
			if d.Val() == "off" {
				return nil
			}
			d.Prev()
		}
		return read(d)
	}
}

func (b *Bearer) readIntrospection(d *caddyfile.Dispenser) error {
	i := new(Introspection)
	b.Introspection = i
	if !d.AllArgs(&i.Endpoint) {
		return d.Err("write `introspection <url>` or `introspection auto`")
	}
	return block.Read(d, block.Lines{
		"client_id":     block.String(&i.ClientID),
		"client_secret": block.Secret(&i.ClientSecret),
		"client_auth":   block.String((*string)(&i.ClientAuth)),
		"key_file":      block.String(&i.KeyFile),
		"cache":         block.Pointer(&i.Cache, block.Duration),
	})
}

func (b *Bearer) readJWKS(d *caddyfile.Dispenser) error {
	if !d.AllArgs(&b.JWKS) || b.JWKS == "" {
		return d.Err("write `jwks <url or file>`")
	}
	return block.Read(d, block.Lines{"bearer_token_file": block.String(&b.JWKSTokenFile)})
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
		return d.Err("duplicate location: keep one")
	}
	b.TokenFrom = append(b.TokenFrom, location)
	return nil
}

var _ caddyfile.Unmarshaler = (*Bearer)(nil)
