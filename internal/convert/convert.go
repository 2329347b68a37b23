// Package convert rewrites a Caddyfile for the gate: what other directives check is
// checked by require_auth afterwards. The rest of the file stays as it is written.
//
// The result is never more open than the original. A line without an equivalent is an
// error, or stays below a comment with the reason.
package convert

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// Result is a converted Caddyfile.
type Result struct {
	Caddyfile []byte

	// Gates is the number of gates that were written.
	Gates int

	// Notes are the comments in the Caddyfile that need attention.
	Notes []string
}

// Options are what a conversion reads besides the Caddyfile.
type Options struct {
	// ReadFile reads a file that the Caddyfile names.
	ReadFile func(path string) ([]byte, error)

	// Getenv returns a variable of the environment; empty without one.
	Getenv func(name string) string
}

// Caddyfile converts a Caddyfile. The errors begin with file and line.
func Caddyfile(file string, content []byte, options Options) (*Result, error) {
	tokens, err := caddyfile.Tokenize(content, file)
	if err != nil {
		return nil, err
	}
	c := &converter{Options: options, lines: strings.Split(string(content), "\n"), renamed: make(map[string]string)}
	root := sourcepos.Tree(tokens)
	var failed error
	c.headerGates(root) // of a file with one site and no braces
	root.Walk(func(n *sourcepos.Node) {
		if failed == nil {
			failed = c.line(n)
		}
	})
	if failed != nil {
		return nil, failed
	}
	return c.result()
}

// converter collects the edits of a Caddyfile.
type converter struct {
	Options
	lines   []string
	edits   []edit
	gates   int
	notes   []string
	renamed map[string]string // placeholders of caddy-jwt, and those of the gate
}

// edit replaces the lines from first to last.
type edit struct {
	first, last int
	text        []string
}

// line converts what begins on a line.
func (c *converter) line(n *sourcepos.Node) error {
	convert := map[string]func(*sourcepos.Node) error{
		"basic_auth": c.basicAuth,
		"basicauth":  c.basicAuth,
		"jwtauth":    c.jwtauth,
		"token":      c.token,
		"order":      c.order,
	}[n.Words[0]]
	if convert == nil || n.Words[0] == "token" && len(n.Children) == 0 {
		c.headerGates(n)
		return nil
	}
	if err := convert(n); err != nil {
		return fmt.Errorf("%s:%d: %s: %w", n.File, n.Line, n.Words[0], err)
	}
	return nil
}

// order removes the order of a directive that the result does not have.
func (c *converter) order(n *sourcepos.Node) error {
	if len(n.Words) > 1 && (n.Words[1] == "jwtauth" || n.Words[1] == "token") {
		c.replace(n, nil)
	}
	return nil
}

// replace replaces the lines of a node. Comments of their own lines stay.
func (c *converter) replace(n *sourcepos.Node, text []string) {
	var comments []string
	for _, line := range c.lines[n.Line-1 : n.Last] {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			comments = append(comments, line)
		}
	}
	c.edits = append(c.edits, edit{n.Line, n.Last, append(comments, text...)})
}

// gate writes a gate in the place of a node.
func (c *converter) gate(n *sourcepos.Node, matcher string, lines ...string) {
	c.gates++
	c.replace(n, gateLines(matcher, lines))
}

func gateLines(matcher string, lines []string) []string {
	text := append([]string{strings.TrimSpace("require_auth "+matcher) + " {"}, lines...)
	return append(text, "}")
}

// note returns a comment that needs attention.
func (c *converter) note(n *sourcepos.Node, format string, values ...any) string {
	text := fmt.Sprintf(format, values...)
	c.notes = append(c.notes, fmt.Sprintf("%s:%d: %s", n.File, n.Line, text))
	return "# convert: " + text
}

// keep leaves a node as it is, below a note.
func (c *converter) keep(n *sourcepos.Node, format string, values ...any) {
	c.edits = append(c.edits, edit{n.Line, n.Line - 1, []string{c.note(n, format, values...)}})
}

func (c *converter) result() (*Result, error) {
	slices.SortStableFunc(c.edits, func(a, b edit) int { return a.first - b.first })
	var lines []string
	next := 1
	for _, e := range c.edits {
		if e.first < next {
			return nil, fmt.Errorf("line %d: two directives share a line: write each on lines of its own", e.first)
		}
		lines = append(append(lines, c.lines[next-1:e.first-1]...), e.text...)
		next = e.last + 1
	}
	lines = append(lines, c.lines[next-1:]...)
	text := strings.Join(lines, "\n")
	for from, to := range c.renamed {
		text = strings.ReplaceAll(text, from, to)
	}
	formatted := bytes.TrimLeft(caddyfile.Format([]byte(text)), "\n")
	formatted = bytes.TrimLeft(bytes.TrimPrefix(formatted, []byte("{\n}\n")), "\n") // options that had an order alone
	return &Result{Caddyfile: formatted, Gates: c.gates, Notes: c.notes}, nil
}

// matcherOf separates the matcher of a directive from its other arguments.
func matcherOf(n *sourcepos.Node) (matcher string, arguments []string) {
	arguments = n.Words[1:]
	if len(arguments) > 0 && (arguments[0] == "*" || arguments[0][:min(1, len(arguments[0]))] == "@" || strings.HasPrefix(arguments[0], "/")) {
		return quote(arguments[0]), arguments[1:]
	}
	return "", arguments
}

// quote writes a word so that a Caddyfile reads it as one.
func quote(word string) string {
	switch {
	case word != "" && !strings.ContainsAny(word, " \t\n\"`#\\") && word != "{" && word != "}":
		return word
	case !strings.Contains(word, "`"):
		return "`" + word + "`"
	default:
		return `"` + strings.ReplaceAll(word, `"`, `\"`) + `"`
	}
}

// quoteAll writes a line of words.
func quoteAll(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = quote(word)
	}
	return strings.Join(quoted, " ")
}
