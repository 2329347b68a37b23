package mcp

import (
	"errors"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// lists are the result members with elements that a client may use. Each has the method
// that uses an element, and the member with its name.
var lists = map[string]struct{ method, member string }{
	"tools":             {"tools/call", "name"},
	"prompts":           {"prompts/get", "name"},
	"resources":         {"resources/read", "uri"},
	"resourceTemplates": {"resources/read", "uriTemplate"},
}

// listMethods are the methods with such results.
var listMethods = []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"}

var errList = errors.New("the list of the upstream cannot be read")

// edit replaces a part of a text.
type edit struct {
	start, end int
	with       string
}

// filter are the rules for an answer, and the scopes of the caller.
type filter struct {
	policy *Policy
	holds  func(scopes []string) bool
}

// message removes the elements that the caller may not use, from a message or a batch.
func (f filter) message(text string) (string, error) {
	reading := filtering{filter: f, text: text}
	err := strictjson.Walk(text, reading.members())
	return apply(text, reading.edits), err
}

// filtering is an answer while it is read, in one pass.
type filtering struct {
	filter
	text  string
	edits []edit
}

// members reads the members of a message, or the messages of a batch.
func (f *filtering) members() func(*strictjson.Cursor, string) error {
	read := false
	return func(c *strictjson.Cursor, name string) error {
		switch {
		case name == "result":
			if read {
				return errList
			}
			read = true
			return f.result(c)
		case name == "" && c.Peek() == '{': // a message of a batch
			return c.Walk(f.members())
		case strings.EqualFold(name, "result"), name == "" && c.Peek() == '[':
			return errList
		}
		return nil
	}
}

func (f *filtering) result(c *strictjson.Cursor) error {
	seen := make(map[string]bool)
	err := c.Walk(func(c *strictjson.Cursor, name string) error {
		if _, isList := lists[name]; !isList {
			return nil
		}
		if seen[name] || c.Peek() != '[' {
			return errList
		}
		seen[name] = true
		return f.list(c, name)
	})
	if errors.Is(err, strictjson.ErrScalar) {
		return nil
	}
	return err
}

func (f *filtering) list(c *strictjson.Cursor, kind string) error {
	var rest []string
	dropped := false
	list := c.Position()
	nameMember, name, named := lists[kind].member, "", false
	member := func(c *strictjson.Cursor, member string) (err error) {
		if member != nameMember {
			return nil
		}
		if named {
			return errList
		}
		named = true
		name, err = c.Text()
		return err
	}
	err := c.Walk(func(c *strictjson.Cursor, _ string) error {
		start := c.Position()
		name, named = "", false
		if err := c.Walk(member); err != nil || !named {
			return errList
		}
		if f.holds(f.policy.scopesToList(kind, name)) {
			rest = append(rest, f.text[start:c.Position()])
		} else {
			dropped = true
		}
		return nil
	})
	if dropped {
		f.edits = append(f.edits, edit{list, c.Position(), "[" + strings.Join(rest, ",") + "]"})
	}
	return err
}

// scopesToList returns the scopes that every use of an element needs.
func (p *Policy) scopesToList(kind, name string) (scopes []string) {
	op := operation{lists[kind].method, name}
	if kind != "resourceTemplates" {
		return p.scopesFor([]operation{op})
	}
	literal, _, _ := strings.Cut(name, "{")
	for _, rule := range p.Rules {
		prefix, open := strings.CutSuffix(rule.Name, "*")
		if rule.Method == op.method && (rule.Name == "" || open && strings.HasPrefix(literal, prefix) || rule.Name == name) {
			scopes = append(scopes, rule.Scopes...)
		}
	}
	return scopes
}

// apply makes the edits in a text.
func apply(text string, edits []edit) string {
	if len(edits) == 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.start])
		b.WriteString(e.with)
		at = e.end
	}
	b.WriteString(text[at:])
	return b.String()
}
