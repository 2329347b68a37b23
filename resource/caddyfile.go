package resource

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/resource/facade"
)

// ReadBlock sets up the resource from Caddyfile tokens, with the dispenser on the word
// `protected_resource`. Syntax:
//
//	protected_resource [<resource URL>] {
//		name                 <text>
//		documentation        <url>
//		policy_uri           <url>
//		tos_uri              <url>
//		authorization_server <url>...
//		authorization_server_facade <bearer scheme> { ... }
//		scope                <scope>...
//	}
//
// The lines authorization_server and scope may be repeated. A caller that derives the
// URL itself also checks it.
func (r *Resource) ReadBlock(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		r.URL = d.Val()
		if err := r.checkURL(); err != nil {
			return d.WrapErr(err)
		}
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	checked := func(line block.Line) block.Line { return block.Checked(line, r.checkMembers) }
	return block.Read(d, block.Lines{
		"name":          checked(block.String(&r.Name)),
		"documentation": checked(block.String(&r.Documentation)),
		"policy_uri":    checked(block.String(&r.PolicyURI)),
		"tos_uri":       checked(block.String(&r.TermsURI)),
		"authorization_server_facade": checked(block.Once(func(d *caddyfile.Dispenser) error {
			r.Facade = new(facade.Facade)
			return r.Facade.ReadBlock(d)
		})),
		"authorization_server": checked(block.Strings(&r.AuthorizationServers)),
		"scope":                checked(block.Strings(&r.Scopes)),
	})
}
