package clientcert

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

// UnmarshalCaddyfile sets up the scheme from Caddyfile tokens. Syntax:
//
//	client_cert [<name>] {
//		realm      <text>
//		trust_pool <file>...
//		user_from  subject|common_name|san_dns|san_uri|san_email
//		rule <field> <pattern> {
//			scope <scope>...
//			role  <role>...
//		}
//		only_matching
//	}
func (c *ClientCert) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	start, err := block.Begin(d)
	if err != nil {
		return err
	}
	err = block.Read(d, block.Lines{
		"realm":         block.String(&c.Realm),
		"trust_pool":    block.Strings(&c.TrustPool),
		"user_from":     block.Checked(block.String((*string)(&c.UserFrom)), func() error { return c.UserFrom.checkUser() }),
		"rule":          c.readRule,
		"only_matching": block.Flag(&c.OnlyMatching),
	})
	if err != nil {
		return err
	}
	return start.Wrap(c.check())
}

func (c *ClientCert) readRule(d *caddyfile.Dispenser) error {
	var field, pattern string
	if !d.AllArgs(&field, &pattern) {
		return d.Err("write `rule <field> <pattern>`")
	}
	rule := Rule{Match: map[Field]string{Field(field): pattern}}
	if err := rule.check(); err != nil {
		return d.WrapErr(err)
	}
	c.Rules = append(c.Rules, rule)
	last := &c.Rules[len(c.Rules)-1]
	return block.Read(d, block.Lines{
		"scope": block.Strings(&last.Scopes),
		"role":  block.Strings(&last.Roles),
	})
}

var _ caddyfile.Unmarshaler = (*ClientCert)(nil)
