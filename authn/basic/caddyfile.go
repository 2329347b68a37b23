package basic

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

// UnmarshalCaddyfile sets up the scheme from Caddyfile tokens. Syntax:
//
//	basic [<name>] {
//		realm <text>
//		user <name> <hash> {
//			scope <scope>...
//			role  <role>...
//		}
//		users_file <path>
//	}
func (b *Basic) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	start, err := block.Begin(d)
	if err != nil {
		return err
	}
	err = block.Read(d, block.Lines{
		"realm":      block.String(&b.Realm),
		"user":       b.readUser,
		"users_file": block.String(&b.UsersFile),
	})
	if err != nil {
		return err
	}
	return start.Wrap(b.check())
}

func (b *Basic) readUser(d *caddyfile.Dispenser) error {
	var user User
	if !d.AllArgs(&user.Name, &user.Hash) {
		return d.Err("write `user <name> <hash>`")
	}
	start := block.Here(d)
	if err := user.check(); err != nil {
		return start.Wrap(err)
	}
	b.Users = append(b.Users, user)
	last := &b.Users[len(b.Users)-1]
	return block.Read(d, block.Lines{
		"scope": block.Strings(&last.Scopes),
		"role":  block.Strings(&last.Roles),
	})
}

var _ caddyfile.Unmarshaler = (*Basic)(nil)
