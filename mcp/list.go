package mcp

import (
	"errors"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// lists are the members of a result that list what a client may use: the method that
// uses an element, and the member that names it.
var lists = map[string]struct{ method, member string }{
	"tools":             {"tools/call", "name"},
	"prompts":           {"prompts/get", "name"},
	"resources":         {"resources/read", "uri"},
	"resourceTemplates": {"resources/read", "uriTemplate"},
}

// listMethods are the methods whose results have them.
var listMethods = []string{"tools/list", "prompts/list", "resources/list", "resources/templates/list"}

var errList = errors.New("the list of the upstream cannot be read")

// edit is a part of a text and what replaces it.
type edit struct {
	start, end int
	with       string
}

// filter is how an answer is filtered: the rules, and which scopes the caller has.
type filter struct {
	policy *Policy
	holds  func(scopes []string) bool
}

// message removes from a message, or a batch, what the caller may not use.
func (f filter) message(text string) (string, error) {
	var edits []edit
	nested := 0
	err := strictjson.Walk(text, func(name string, start, end int) error {
		switch {
		case name == "result":
			if nested++; nested > 1 {
				return errList
			}
			edited, err := f.result(text[start:end])
			edits = append(edits, edit{start, end, edited})
			return err
		case name == "" && text[start] == '{': // a message of a batch
			edited, err := f.message(text[start:end])
			edits = append(edits, edit{start, end, edited})
			return err
		case strings.EqualFold(name, "result"), name == "" && text[start] == '[':
			return errList
		}
		return nil
	})
	return apply(text, edits), err
}

func (f filter) result(text string) (string, error) {
	var edits []edit
	seen := make(map[string]bool)
	err := strictjson.Walk(text, func(name string, start, end int) error {
		if _, isList := lists[name]; !isList {
			return nil
		}
		if seen[name] || text[start] != '[' {
			return errList
		}
		seen[name] = true
		edited, err := f.list(text[start:end], name)
		edits = append(edits, edit{start, end, edited})
		return err
	})
	if errors.Is(err, strictjson.ErrScalar) {
		err = nil
	}
	return apply(text, edits), err
}

func (f filter) list(text, of string) (string, error) {
	var kept []string
	dropped := false
	err := strictjson.Walk(text, func(_ string, start, end int) error {
		element := text[start:end]
		name, found := "", false
		err := strictjson.Walk(element, func(member string, start, end int) error {
			if member != lists[of].member {
				return nil
			}
			text, ok := strictjson.Text(element[start:end])
			if !ok || found {
				return errList
			}
			name, found = text, true
			return nil
		})
		if err != nil || !found {
			return errList
		}
		if f.holds(f.policy.scopesToList(of, name)) {
			kept = append(kept, element)
		} else {
			dropped = true
		}
		return nil
	})
	if err != nil || !dropped {
		return text, err
	}
	return "[" + strings.Join(kept, ",") + "]", nil
}

// scopesToList returns the scopes that every use of an element needs.
func (p *Policy) scopesToList(of, name string) (scopes []string) {
	asked := operation{lists[of].method, name}
	if of != "resourceTemplates" {
		return p.scopesFor([]operation{asked})
	}
	literal, _, _ := strings.Cut(name, "{")
	for _, rule := range p.Rules {
		prefix, open := strings.CutSuffix(rule.Name, "*")
		if rule.Method == asked.method && (rule.Name == "" || open && strings.HasPrefix(literal, prefix) || rule.Name == name) {
			scopes = append(scopes, rule.Scopes...)
		}
	}
	return scopes
}

// apply writes edits into a text.
func apply(text string, edits []edit) string {
	if len(edits) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, e := range edits {
		b.WriteString(text[at:e.start])
		b.WriteString(e.with)
		at = e.end
	}
	b.WriteString(text[at:])
	return b.String()
}
