package mcp

import (
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

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
		"inspect":  p.readInspect,
		"list":     p.readList,
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

func (p *Policy) readInspect(d *caddyfile.Dispenser) error {
	if p.BodyLimit != 0 {
		return d.Err("inspect is written twice: keep one")
	}
	var text string
	if !d.AllArgs(&text) {
		return d.ArgErr()
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 || size > maxInspect {
		return d.Errf("invalid size %q: write for example 1MiB", text)
	}
	p.BodyLimit = size
	return nil
}

func (p *Policy) readList(d *caddyfile.Dispenser) error {
	if p.List != "" {
		return d.Err("list is written twice: keep one")
	}
	if !d.AllArgs(&p.List) {
		return d.ArgErr()
	}
	return nil
}
