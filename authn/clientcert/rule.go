package clientcert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rule says what certificates grant that have certain names.
type Rule struct {
	// The names that a certificate must have, all of them, by field: those of
	// `user_from` and `issuer`. A name is given as a whole, in the same case;
	// one `*` at its beginning or end stands for anything. Of alternative
	// names one has to match. In `subject` and `issuer` a `*` at the beginning
	// stands for whole attributes and a comma follows it: `*,O=Example`.
	Match map[Field]string `json:"match"`
	// What the holder may do.
	Scopes []string `json:"scopes,omitempty"`
	// What the holder is.
	Roles []string `json:"roles,omitempty"`
}

func (r Rule) check() error {
	if len(r.Match) == 0 {
		return errors.New("a rule without a field to match would apply to every certificate: write `rule <field> <pattern>`")
	}
	for field, pattern := range r.Match {
		if !slices.Contains(fields, field) {
			return fmt.Errorf("rule %q: there is no such field: write %s", field, listed(fields))
		}
		if err := field.checkPattern(pattern); err != nil {
			return fmt.Errorf("rule %s %q: %w", field, pattern, err)
		}
	}
	return nil
}

func (f Field) checkPattern(pattern string) error {
	inner := strings.TrimPrefix(pattern, "*")
	if inner == pattern {
		inner = strings.TrimSuffix(pattern, "*")
	}
	switch {
	case pattern == "":
		return errors.New("the pattern is empty")
	case strings.Contains(inner, "*"):
		return errors.New("only one * can stand there, at the beginning or at the end")
	case f.isDistinguished() && pattern[0] == '*' && inner != "" && inner[0] != ',':
		return errors.New("a value that its holder chose could end like that: write a comma after the *, as in *,O=Example")
	}
	return nil
}

// applies reports whether the rule is meant for a certificate with the names.
func (r Rule) applies(names names) bool {
	for field, pattern := range r.Match {
		if !slices.ContainsFunc(names[field], func(name string) bool { return field.matches(pattern, name) }) {
			return false
		}
	}
	return true
}

func (f Field) matches(pattern, name string) bool {
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		rest, ok := strings.CutSuffix(name, end)
		return ok && !(f.isDistinguished() && escapes(rest))
	}
	if beginning, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, beginning)
	}
	return name == pattern
}

// escapes reports whether the comma that follows a part of a distinguished
// name belongs to a value: `CN=x\,O=Example` has one attribute, not two.
func escapes(part string) bool {
	return (len(part)-len(strings.TrimRight(part, `\`)))%2 == 1
}
