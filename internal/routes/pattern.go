package routes

import (
	"path"
	"strings"
)

// Path is a condition on the path of a request: patterns of Caddy's path
// matcher, all of which match.
type Path []string

// within reports whether every path that meets p surely meets q too.
func (p Path) within(q Path) bool {
	for _, wider := range q {
		covered := false
		for _, narrower := range p {
			covered = covered || patternWithin(narrower, wider)
		}
		if !covered {
			return false
		}
	}
	return true
}

// apart reports whether surely no path meets both.
func (p Path) apart(q Path) bool {
	for _, one := range p {
		for _, other := range q {
			if patternsApart(one, other) {
				return true
			}
		}
	}
	return false
}

// and returns the condition that both hold, without what says nothing more.
func (p Path) and(q Path) Path {
	switch {
	case p.within(q):
		return p
	case q.within(p):
		return q
	}
	both := append(Path(nil), p...)
	for _, pattern := range q {
		if !(Path{pattern}).holdsOf(both) {
			both = append(both, pattern)
		}
	}
	return both
}

// holdsOf reports whether p says nothing that q does not.
func (p Path) holdsOf(q Path) bool { return q.within(p) }

// everything are the patterns that match every path.
func everything(pattern string) bool { return pattern == "*" || pattern == "/*" }

// opaque reports whether a pattern cannot be reasoned about: what it matches
// depends on the request, or it is compared with the escaped spelling.
func opaque(pattern string) bool { return strings.ContainsAny(pattern, "{%") }

func literal(pattern string) bool { return !opaque(pattern) && !strings.ContainsAny(pattern, `*?[\`) }

// head is what every matching path begins with, tail what it ends with.
func head(pattern string) string {
	if i := strings.IndexAny(pattern, `*?[\`); i >= 0 {
		return pattern[:i]
	}
	return pattern
}

func tail(pattern string) string {
	if i := strings.LastIndexAny(pattern, `*?]\`); i >= 0 {
		return pattern[i+1:]
	}
	return pattern
}

// affix recognizes the patterns that Caddy does not match by path segments. Their only
// wildcards are a `*` at one end or at both.
func affix(pattern string) (inner string, begins, ends, ok bool) {
	stars := strings.Count(pattern, "*")
	begins = strings.HasPrefix(pattern, "*")
	ends = strings.HasSuffix(pattern, "*")
	inner = strings.Trim(pattern, "*")
	switch {
	case stars == 1 && begins:
		return inner, true, false, true
	case stars == 1 && ends:
		return inner, false, true, true
	}
	return inner, begins, ends, stars == 2 && begins && ends
}

// matchPattern does what Caddy's path matcher does for a clean path.
func matchPattern(pattern, candidate string) bool {
	if pattern == "*" {
		return true
	}
	inner, begins, ends, simple := affix(pattern)
	switch {
	case !simple:
		matches, err := path.Match(pattern, candidate)
		return matches && err == nil
	case begins && ends:
		return strings.Contains(candidate, inner)
	case begins:
		return strings.HasSuffix(candidate, inner)
	}
	return strings.HasPrefix(candidate, inner)
}

// patternWithin reports whether every path that x matches is surely one that y
// matches.
func patternWithin(x, y string) bool {
	if x == y || everything(y) {
		return true
	}
	if opaque(x) || opaque(y) {
		return false
	}
	if literal(x) {
		return matchPattern(y, x)
	}
	inner, begins, ends, simple := affix(y)
	switch {
	case !simple:
		return false
	case begins && ends:
		return strings.Contains(head(x), inner) || strings.Contains(tail(x), inner)
	case begins:
		return strings.HasSuffix(tail(x), inner)
	}
	return strings.HasPrefix(head(x), inner)
}

// patternsApart reports whether surely no path is matched by both.
func patternsApart(x, y string) bool {
	switch {
	case opaque(x) || opaque(y):
		return false
	case literal(x):
		return !matchPattern(y, x)
	case literal(y):
		return !matchPattern(x, y)
	}
	return !alike(head(x), head(y), strings.HasPrefix) || !alike(tail(x), tail(y), strings.HasSuffix)
}

// alike reports whether one of two texts continues the other.
func alike(x, y string, continues func(string, string) bool) bool {
	return continues(x, y) || continues(y, x)
}

// hostWithin reports whether the host pattern x is covered by y. A `*` is one
// label.
func hostWithin(x, y string) bool {
	if strings.EqualFold(x, y) {
		return true
	}
	return hostsMeet(x, y) && !strings.Contains(x, "*") && !strings.Contains(x+y, "{")
}

// hostsMeet reports whether a host may match both patterns.
func hostsMeet(x, y string) bool {
	if strings.Contains(x+y, "{") {
		return true
	}
	left, right := strings.Split(x, "."), strings.Split(y, ".")
	if len(left) != len(right) {
		return false
	}
	for i := range left {
		if left[i] != "*" && right[i] != "*" && !strings.EqualFold(left[i], right[i]) {
			return false
		}
	}
	return true
}
