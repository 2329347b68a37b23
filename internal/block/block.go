// Package block reads the blocks of a Caddyfile by a table. The table has each
// subdirective in one place. An unrecognized subdirective is an error with its position
// and the valid ones.
package block

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
)

// Lines are the subdirectives of a block with their readers. A reader starts with the
// dispenser on the name of the line.
type Lines map[string]Line

// Line reads one line, its own block included.
type Line func(*caddyfile.Dispenser) error

// Read reads the block that follows the current segment, if there is a block.
func Read(d *caddyfile.Dispenser, lines Lines) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		line, found := lines[d.Val()]
		if !found {
			return d.Errf("unrecognized subdirective %q: write one of %s", d.Val(), strings.Join(slices.Sorted(maps.Keys(lines)), ", "))
		}
		if err := line(d); err != nil {
			return err
		}
	}
	return nil
}

// Begin consumes the name before a block, refuses arguments after it, and returns the
// position of the block.
func Begin(d *caddyfile.Dispenser) (Position, error) {
	d.Next()
	start := Here(d)
	if name := d.Val(); d.NextArg() {
		return start, d.Errf("unexpected argument after %s: write a block", name)
	}
	return start, nil
}

// Position is the position of a directive or block, for errors that appear only at its
// end.
type Position struct{ at *caddyfile.Dispenser }

// Here is the position of the current token.
func Here(d *caddyfile.Dispenser) Position {
	return Position{at: caddyfile.NewDispenser([]caddyfile.Token{d.Token()})}
}

// Wrap adds the position to an error; nil stays nil.
func (p Position) Wrap(err error) error {
	if err == nil {
		return nil
	}
	p.at.Reset()
	p.at.Next()
	return p.at.WrapErr(err)
}

// String reads exactly one argument, once. A value from an earlier block counts as
// well.
func String(target *string) Line {
	return func(d *caddyfile.Dispenser) error {
		if *target != "" {
			return d.Errf("duplicate %s: keep one", d.Val())
		}
		name := d.Val()
		var value string
		if !d.AllArgs(&value) {
			// Caddy's own message would contain the value, which may be a secret.
			return d.Errf("write exactly one value after %s, in quotes if it has spaces", name)
		}
		if value == "" {
			return d.Errf("%s is empty: give it a value or leave the line out", name)
		}
		*target = value
		return nil
	}
}

// Secret is String for a secret. It refuses a placeholder that Caddy does not replace
// at load: its text in the configuration would be the secret.
func Secret(target *string) Line {
	read := String(target)
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if err := read(d); err != nil {
			return err
		}
		if unreplaced.MatchString(*target) && !HasPlaceholder(*target) {
			return d.Errf("%s is a placeholder without a value: write the secret, {env.NAME} or {file.PATH}", name)
		}
		return nil
	}
}

// Secrets are secrets, nearly always a single one. JSON may have a single one as a
// string.
type Secrets []string

// MarshalJSON writes a single secret as a string.
func (s Secrets) MarshalJSON() ([]byte, error) {
	if len(s) == 1 {
		return json.Marshal(s[0])
	}
	return json.Marshal([]string(s))
}

// UnmarshalJSON reads a string or a list of strings.
func (s *Secrets) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		if *s = nil; one != "" {
			*s = Secrets{one}
		}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(s))
}

// ReadLine reads one more secret, or its placeholder.
func (s *Secrets) ReadLine(d *caddyfile.Dispenser) error {
	var secret string
	if err := Secret(&secret)(d); err != nil {
		return err
	}
	*s = append(*s, secret)
	return nil
}

// List reads the rest of a line as a list. Spaces separate its items, so an item with a
// comma at the end is an error.
func List(d *caddyfile.Dispenser) ([]string, error) {
	items := d.RemainingArgs()
	for i, item := range items {
		if strings.HasSuffix(item, ",") {
			// The error does not contain the item, which may be the address of a store
			// with its password.
			return nil, d.Errf("item %d of the list ends in a comma: separate the items by spaces alone", i+1)
		}
	}
	return items, nil
}

// Strings reads at least one argument and may be repeated.
func Strings(target *[]string) Line {
	return func(d *caddyfile.Dispenser) error {
		name := d.Val()
		arguments, err := List(d)
		if err != nil {
			return err
		}
		if len(arguments) == 0 || slices.Contains(arguments, "") {
			return d.Errf("write at least one value after %s, and no empty one", name)
		}
		*target = append(*target, arguments...)
		return nil
	}
}

// Duration reads one duration such as 30s, once.
func Duration(target *caddy.Duration) Line {
	return Once(func(d *caddyfile.Dispenser) error {
		var text string
		if !d.AllArgs(&text) {
			return d.ArgErr()
		}
		duration, err := caddy.ParseDuration(text)
		if err != nil || duration < 0 {
			return d.Errf("invalid duration %q: write for example 30s", text)
		}
		*target = caddy.Duration(duration)
		return nil
	})
}

// Number reads one whole number of at least 1, once.
func Number(target *int) Line {
	return Once(func(d *caddyfile.Dispenser) error {
		name := d.Val()
		var text string
		if !d.AllArgs(&text) {
			return d.Errf("write exactly one number after %s", name)
		}
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 {
			return d.Errf("%s %q: write a number from 1 on", name, text)
		}
		*target = number
		return nil
	})
}

// Size reads one size in bytes such as 8MiB, once.
func Size(target *uint64) Line {
	return Once(func(d *caddyfile.Dispenser) error {
		var text string
		if !d.AllArgs(&text) {
			return d.ArgErr()
		}
		size, err := humanize.ParseBytes(text)
		if err != nil || size == 0 {
			return d.Errf("invalid size %q: write for example 8MiB", text)
		}
		*target = size
		return nil
	})
}

// Pointer reads a value whose zero differs from none.
func Pointer[T any](target **T, line func(*T) Line) Line {
	return Once(func(d *caddyfile.Dispenser) error {
		*target = new(T)
		return line(*target)(d)
	})
}

// HasPlaceholder reports whether a value has a placeholder that is replaced at load,
// such as `{env.SECRET}`.
func HasPlaceholder(value string) bool { return placeholder.MatchString(value) }

// placeholder matches what Caddy replaces outside of requests.
var placeholder = regexp.MustCompile(`\{(env|file|system|time)\.[^{}]*\}`)

// unreplaced matches a whole value in the form of a placeholder.
var unreplaced = regexp.MustCompile(`^\s*\{[^{}]*\}\s*$`)

// Replace replaces the placeholders of a value at load. It refuses an unknown or empty
// placeholder, a value that is a placeholder itself, and a byte order mark, with which
// a file may begin. Errors never contain the value, which may be a secret.
func Replace(replacer *caddy.Replacer, name, value string) (string, error) {
	replaced, err := replacer.ReplaceOrErr(value, true, true)
	if err != nil || value != "" && replaced == "" {
		return "", fmt.Errorf("%s has a placeholder without a value: set it, or write \\{ for a brace", name)
	}
	if strings.Contains(replaced, "\ufeff") {
		return "", fmt.Errorf("%s holds a byte order mark, which is invisible: save its file as UTF-8 without one", name)
	}
	if unreplaced.MatchString(replaced) {
		return "", fmt.Errorf("%s is still a placeholder after replacement: give it its value", name)
	}
	return replaced, nil
}

// Values are the values of a configuration that may have placeholders, by the names
// that errors give them.
type Values map[string]*string

// AddList adds the items of a list. Of several, each has its number behind the name.
func (v Values) AddList(name string, list []string) {
	for i := range list {
		numbered := name
		if len(list) > 1 {
			numbered = fmt.Sprintf("%s %d", name, i+1)
		}
		v[numbered] = &list[i]
	}
}

// Replace replaces the placeholders of all values, see [Replace].
func (v Values) Replace(replacer *caddy.Replacer) (err error) {
	for name, value := range v {
		if *value, err = Replace(replacer, name, *value); err != nil {
			return err
		}
	}
	return nil
}

// Flag reads a line without arguments.
func Flag(target *bool) Line {
	return Once(func(d *caddyfile.Dispenser) error {
		if name := d.Val(); d.NextArg() {
			return d.Errf("%s takes no value", name)
		}
		*target = true
		return nil
	})
}

// Checked checks what a line has set, so that an error has the position of the line.
func Checked(line Line, check func() error) Line {
	return func(d *caddyfile.Dispenser) error {
		if err := line(d); err != nil {
			return err
		}
		return Here(d).Wrap(check())
	}
}

// Once refuses a line that is written twice: one of the values would be ignored
// silently.
func Once(line Line) Line {
	seen := false
	return func(d *caddyfile.Dispenser) error {
		if seen {
			return d.Errf("duplicate %s: keep one", d.Val())
		}
		seen = true
		return line(d)
	}
}
