package clientcert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rule grants scopes and roles to certificates with certain names.
type Rule struct {
	// The names that a certificate must have, by field: those of `user_from` and
	// `issuer`. All of them must match. A pattern is a whole name, in the same case.
	// One `*` at its beginning or end matches any text. Of alternative names one must
	// match. In `subject` and `issuer` a `*` at the beginning matches whole attributes,
	// and a comma follows it: `*,O=Example`.
	Match map[Field]string `json:"match"`
	// The scopes of the holder. Default: none.
	Scopes []string `json:"scopes,omitempty"`
	// The roles of the holder. Default: none.
	Roles []string `json:"roles,omitempty"`
}

func (r Rule) check() error {
	if len(r.Match) == 0 {
		return errors.New("a rule without a field to match would apply to every certificate: write `rule <field> <pattern>`")
	}
	for field, pattern := range r.Match {
		if !slices.Contains(fields, field) {
			return fmt.Errorf("rule: unknown field %q: write %s", field, joinFields(fields))
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
		return errors.New("invalid pattern: write one * only, at the beginning or at the end")
	case f.isDistinguished() && pattern[0] == '*' && inner != "" && inner[0] != ',':
		return errors.New("invalid pattern: a holder can choose the end of a value: write a comma after the *, as in *,O=Example")
	}
	return nil
}

// applies reports whether the rule matches a certificate with the names.
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
		return ok && !(f.isDistinguished() && isEscaped(rest))
	}
	if beginning, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, beginning)
	}
	return name == pattern
}

// isEscaped reports whether a backslash escapes the comma after a part of a
// distinguished name: `CN=x\,O=Example` has one attribute.
func isEscaped(part string) bool {
	return (len(part)-len(strings.TrimRight(part, `\`)))%2 == 1
}
