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
//		from  authorization [<scheme>]
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
		"from":      a.readLocation,
		"key":       a.readKey,
		"keys_file": block.String(&a.KeysFile),
	})
	if err != nil {
		return err
	}
	return start.Wrap(a.check())
}

func (a *APIKey) readLocation(d *caddyfile.Dispenser) error {
	arguments := d.RemainingArgs()
	var location authn.Location
	switch {
	case len(arguments) == 2:
		location = authn.Location{Kind: authn.LocationKind(arguments[0]), Name: arguments[1]}
	case len(arguments) == 1 && arguments[0] == string(inAuthorization):
		location = authn.Location{Kind: inAuthorization, Name: "Bearer"}
	default:
		return d.Err("write `from header|query|cookie <name>` or `from authorization [<scheme>]`")
	}
	if err := checkLocation(location); err != nil {
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
		"expires": block.Once(last.readExpires),
	})
}

func (k *Key) readExpires(d *caddyfile.Dispenser) error {
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	expires, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return d.Errf("invalid time %q: write for example 2099-01-01T00:00:00Z", text)
	}
	k.Expires = &expires
	return nil
}

var _ caddyfile.Unmarshaler = (*APIKey)(nil)
