package mcp

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

// ReadBlock sets up the policy from Caddyfile tokens. Syntax:
//
//	mcp {
//		origin   <origin>...
//		tool     <name> <scope>...
//		prompt   <name> <scope>...
//		resource <uri> <scope>...
//		method   <method> <scope>...
//		inspect  <size>
//		list     filtered
//	}
func (p *Policy) ReadBlock(d *caddyfile.Dispenser) error {
	start := block.Here(d)
	if d.NextArg() {
		return d.ArgErr()
	}
	err := block.Read(d, block.Lines{
		"origin":   block.Strings(&p.Origins),
		"tool":     p.readRule("tools/call"),
		"prompt":   p.readRule("prompts/get"),
		"resource": p.readRule("resources/read"),
		"method":   p.readMethod,
		"inspect":  block.Size(&p.BodyLimit),
		"list":     block.String(&p.List),
	})
	if err != nil {
		return err
	}
	return start.Wrap(p.Check())
}

// readRule reads a line that names what a method is about.
func (p *Policy) readRule(method string) block.Line {
	return func(d *caddyfile.Dispenser) error {
		line := d.Val()
		arguments, err := block.List(d)
		if err != nil {
			return err
		}
		if len(arguments) < 2 || arguments[0] == "" {
			return d.Errf("write `%s <name> <scope>...`", line)
		}
		p.Rules = append(p.Rules, Rule{Method: method, Name: arguments[0], Scopes: arguments[1:]})
		return nil
	}
}

func (p *Policy) readMethod(d *caddyfile.Dispenser) error {
	arguments, err := block.List(d)
	if err != nil {
		return err
	}
	if len(arguments) < 2 {
		return d.Err("write `method <method> <scope>...`")
	}
	p.Rules = append(p.Rules, Rule{Method: arguments[0], Scopes: arguments[1:]})
	return nil
}
