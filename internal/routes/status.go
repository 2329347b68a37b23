package routes

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// answer is what is known of a condition.
type answer uint8

const (
	maybe answer = iota
	no
	yes
)

func (a answer) not() answer {
	switch a {
	case no:
		return yes
	case yes:
		return no
	}
	return maybe
}

func answerOf(holds bool) answer {
	if holds {
		return yes
	}
	return no
}

// at returns what a matcher of error routes leaves to say where the status is
// given; never is set if it matches no request.
func (m Matcher) at(status int) (left Matcher, never bool) {
	for _, region := range m {
		if region, ok := region.at(status); ok {
			left = append(left, region)
		}
	}
	return left, len(m) > 0 && len(left) == 0
}

func (r Region) at(status int) (left Region, ok bool) {
	if left.Set, ok = r.Set.at(status); !ok {
		return Region{}, false
	}
	for _, except := range r.Except {
		taken, some := except.at(status)
		if !some {
			continue
		}
		if left, ok = left.Without(taken); !ok {
			return Region{}, false
		}
	}
	return left, true
}

// at leaves out the conditions on the status that hold; ok is false if one does
// not.
func (s Set) at(status int) (left Set, ok bool) {
	left = s
	left.Other = nil
	for _, condition := range s.Other {
		switch condition.at(status) {
		case no:
			return Set{}, false
		case maybe:
			left.Other = append(left.Other, condition)
		}
	}
	return left, true
}

// at says whether a condition holds where the status is given.
func (c Condition) at(status int) answer {
	switch c.Matcher {
	case "expression":
		var expression struct {
			Expr string `json:"expr"`
		}
		if json.Unmarshal([]byte(c.Value), &expression.Expr) != nil && json.Unmarshal([]byte(c.Value), &expression) != nil {
			return maybe
		}
		return evaluate(expression.Expr, status, 0)
	case "vars":
		var variables map[string][]string
		if json.Unmarshal([]byte(c.Value), &variables) != nil || len(variables) != 1 {
			return maybe
		}
		for key, values := range variables {
			if statusOnly.MatchString(key) {
				return answerOf(slices.Contains(values, strconv.Itoa(status)))
			}
		}
	}
	return maybe
}

const statusName = `\{(?:http\.error|http\.intercept|http\.reverse_proxy)\.status_code\}`

var (
	statusOnly  = regexp.MustCompile(`^` + statusName + `$`)
	comparison  = regexp.MustCompile(`^(?:int\()?` + statusName + `\)?\s*(==|!=|<=|>=|<|>)\s*(\d{3})$`)
	enumeration = regexp.MustCompile(`^(?:int\()?` + statusName + `\)?\s*in\s*\[([\d\s,]*)\]$`)
)

// evaluate says what a CEL expression is where the status is given, as far as it
// is about the status.
func evaluate(expression string, status, depth int) answer {
	expression = strings.TrimSpace(expression)
	if depth > maxDepth || strings.Contains(expression, "?") {
		return maybe // a ternary binds less than all that is understood here
	}
	if parts := splitOutside(expression, "||"); len(parts) > 1 {
		return combine(parts, status, depth, yes)
	}
	if parts := splitOutside(expression, "&&"); len(parts) > 1 {
		return combine(parts, status, depth, no)
	}
	if negated, ok := strings.CutPrefix(expression, "!"); ok && isEnclosed(negated) {
		return evaluate(negated, status, depth+1).not()
	}
	if isEnclosed(expression) {
		return evaluate(expression[1:len(expression)-1], status, depth+1)
	}
	if found := comparison.FindStringSubmatch(expression); found != nil {
		with, _ := strconv.Atoi(found[2])
		return answerOf(compare(status, found[1], with))
	}
	if found := enumeration.FindStringSubmatch(expression); found != nil {
		return answerOf(slices.ContainsFunc(strings.Split(found[1], ","), func(one string) bool {
			return strings.TrimSpace(one) == strconv.Itoa(status)
		}))
	}
	return maybe
}

// combine joins the parts of an expression of which one that is decisive
// decides.
func combine(parts []string, status, depth int, decisive answer) answer {
	result := decisive.not()
	for _, part := range parts {
		switch evaluate(part, status, depth+1) {
		case decisive:
			return decisive
		case maybe:
			result = maybe
		}
	}
	return result
}

func compare(x int, operator string, y int) bool {
	switch operator {
	case "==":
		return x == y
	case "!=":
		return x != y
	case "<":
		return x < y
	case "<=":
		return x <= y
	case ">":
		return x > y
	}
	return x >= y
}

// isEnclosed reports whether one pair of parentheses encloses an expression.
func isEnclosed(expression string) bool {
	if !strings.HasPrefix(expression, "(") || !strings.HasSuffix(expression, ")") {
		return false
	}
	depth := 0
	for i := range len(expression) - 1 {
		switch expression[i] {
		case '(':
			depth++
		case ')':
			depth--
		case '"', '\'', '`':
			return false // a parenthesis in a text would be counted
		}
		if depth == 0 {
			return false
		}
	}
	return depth == 1
}

// splitOutside splits an expression at an operator that stands outside of
// parentheses, brackets and quotes.
func splitOutside(expression, operator string) (parts []string) {
	depth, start, quote := 0, 0, byte(0)
	for i := 0; i < len(expression); i++ {
		switch c := expression[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'' || c == '`':
			quote = c
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case depth == 0 && strings.HasPrefix(expression[i:], operator):
			parts = append(parts, expression[start:i])
			start = i + len(operator)
			i = start - 1
		}
	}
	return append(parts, expression[start:])
}
