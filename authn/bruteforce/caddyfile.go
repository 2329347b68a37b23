package bruteforce

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/block"
)

// ReadLine reads the line `attempts`. Syntax:
//
//	attempts off
//	attempts [<number>] {
//		per_client  <number>
//		per_account <number>
//		wait        <duration>
//		max_wait    <duration>
//		forget      <duration>
//	}
func (l *Limits) ReadLine(d *caddyfile.Dispenser) error {
	start := block.Here(d)
	switch arguments := d.CountRemainingArgs(); {
	case arguments > 1:
		return d.Err("write `attempts <number>` or `attempts off`, and other limits in a block")
	case arguments == 1 && d.NextArg() && d.Val() == "off":
		l.Off = true
	case arguments == 1:
		d.Prev()
		if err := block.Number(&l.Limit)(d); err != nil {
			return err
		}
	}
	err := block.Read(d, block.Lines{
		"per_client":  block.Number(&l.PerClient),
		"per_account": block.Number(&l.PerAccount),
		"wait":        duration(&l.Wait),
		"max_wait":    duration(&l.MaxWait),
		"forget":      duration(&l.Forget),
	})
	if err != nil {
		return err
	}
	if *l == (Limits{}) {
		return start.Wrap(errors.New("attempts is empty: write a number, off, or limits in a block"))
	}
	return start.Wrap(l.Check())
}

// duration reads a duration above zero. Zero would mean the default.
func duration(target *caddy.Duration) block.Line {
	read := block.Duration(target)
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if err := read(d); err != nil {
			return err
		}
		if *target == 0 {
			return d.Errf("invalid %s 0: write for example 30s, or `attempts off`", name)
		}
		return nil
	}
}
