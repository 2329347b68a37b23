package routes

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"cel.dev/cel-go/cel"
)

// answer is what is known of a condition.
type answer uint8

const (
	maybe answer = iota
	no
	yes
)

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
		excluded, some := except.at(status)
		if !some {
			continue
		}
		if left, ok = left.Without(excluded); !ok {
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
		case yes:
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
		return evaluate(expression.Expr, status)
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
	statusOnly   = regexp.MustCompile(`^` + statusName + `$`)
	anywhere     = regexp.MustCompile(statusName)
	placeholders = regexp.MustCompile(`\\?\{[a-zA-Z][\w.-]+\}`)
)

// The names that take the place of placeholders in an expression.
const (
	statusVariable  = "__status_of_denial"
	unknownVariable = "__unknown"
)

// maxCost bounds the evaluation of one expression, in steps of CEL.
const maxCost = 10_000

// language is CEL without the functions of Caddy: a call of one is an error, which
// `true || …` and `false && …` do without.
var language = sync.OnceValues(func() (*cel.Env, error) { return cel.NewEnv() })

// evaluate says what a CEL expression is where the status is given, as far as it
// is about the status alone.
func evaluate(expression string, status int) answer {
	env, err := language()
	if err != nil {
		return maybe
	}
	expression = placeholders.ReplaceAllLiteralString(anywhere.ReplaceAllLiteralString(expression, statusVariable), unknownVariable)
	parsed, issues := env.Parse(expression)
	if issues.Err() != nil {
		return maybe
	}
	program, err := env.Program(parsed, cel.CostLimit(maxCost))
	if err != nil {
		return maybe
	}
	value, _, err := program.Eval(map[string]any{statusVariable: status})
	if err != nil {
		return maybe
	}
	if holds, ok := value.Value().(bool); ok {
		return answerOf(holds)
	}
	return maybe
}
