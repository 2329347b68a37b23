package apikey

import (
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
)

// UnmarshalCaddyfile sets up the scheme from Caddyfile tokens. Syntax:
//
//	api_key [<name>] {
//		realm <text>
//		from  header|query|cookie <name>
//		key   <id> sha256:<digest> {
//			scope   <scope>...
//			role    <role>...
//			expires <RFC 3339 time>
//		}
//		keys_file <path>
//	}
func (a *APIKey) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	start, err := block.Begin(d)
	if err != nil {
		return err
	}
	err = block.Read(d, block.Lines{
		"realm":     block.String(&a.Realm),
		"from":      a.readPlace,
		"key":       a.readKey,
		"keys_file": block.String(&a.KeysFile),
	})
	if err != nil {
		return err
	}
	return start.Wrap(a.check())
}

func (a *APIKey) readPlace(d *caddyfile.Dispenser) error {
	var in, name string
	if !d.AllArgs(&in, &name) {
		return d.Err("write `from header|query|cookie <name>`")
	}
	location := authn.Location{Kind: authn.LocationKind(in), Name: name}
	if err := checkPlace(location); err != nil {
		return d.WrapErr(err)
	}
	a.From = append(a.From, location)
	return nil
}

func (a *APIKey) readKey(d *caddyfile.Dispenser) error {
	var key Key
	if !d.AllArgs(&key.ID, &key.Digest) {
		return d.Err("write `key <id> sha256:<digest>`")
	}
	if err := key.check(); err != nil {
		return d.WrapErr(err)
	}
	a.Keys = append(a.Keys, key)
	last := &a.Keys[len(a.Keys)-1]
	return block.Read(d, block.Lines{
		"scope":   block.Strings(&last.Scopes),
		"role":    block.Strings(&last.Roles),
		"expires": last.readExpires,
	})
}

func (k *Key) readExpires(d *caddyfile.Dispenser) error {
	if k.Expires != nil {
		return d.Err("expires is written twice: keep one")
	}
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	expires, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return d.Errf("%q is no time: write for example 2099-01-01T00:00:00Z", text)
	}
	k.Expires = &expires
	return nil
}

var _ caddyfile.Unmarshaler = (*APIKey)(nil)
