package pathtemplate

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
)

// Result says what the templates say about a request.
type Result uint8

// The results. The zero value admits nothing.
const (
	// Ambiguous: servers could find different values for the request.
	Ambiguous Result = iota
	// Missing: no template has a value for the request, however it is read.
	Missing
	// Found: there is one value.
	Found
)

// Lookup finds the value for a request. Of the templates that its path matches, the
// more concrete one counts: one with a fixed segment where others have a parameter. If
// that decides nothing, or if servers could read the path or the method in another way,
// the values must be the same. A slash at the end, or none, makes no difference unless
// both paths are there.
func (t *Tree[V]) Lookup(r *http.Request, same func(a, b V) bool) (value V, result Result) {
	methods := methodsOf(r)
	paths, ok := readings(r.URL)
	if !ok {
		return value, Ambiguous
	}
	for i, method := range methods {
		for j, path := range paths {
			one, result1 := t.lookup(method, path, same)
			switch {
			case result1 == Ambiguous:
				return value, Ambiguous
			case i == 0 && j == 0:
				value, result = one, result1
			case result1 != result || result == Found && !same(value, one):
				var zero V
				return zero, Ambiguous
			}
		}
	}
	return value, result
}

// overrides are the fields by which some servers take another method for that of the
// request, folded.
var overrides = []string{"x-http-method-override", "x-http-method", "x-method-override"}

// methodsOf returns the methods for which servers could take that of a request.
func methodsOf(r *http.Request) []string {
	methods := []string{r.Method}
	add := func(method string) {
		if !slices.Contains(methods, method) {
			methods = append(methods, method)
		}
	}
	add(strings.ToUpper(r.Method))
	for name, values := range r.Header {
		if slices.ContainsFunc(overrides, func(override string) bool { return fieldname.Equal(name, override) }) {
			for _, value := range values {
				add(strings.ToUpper(strings.TrimSpace(value)))
			}
		}
	}
	return methods
}

// lookup finds the value for one reading of a request.
func (t *Tree[V]) lookup(method, path string, same func(a, b V) bool) (value V, result Result) {
	slash := strings.HasSuffix(path, "/")
	path = strings.TrimSuffix(path, "/")
	if strings.Count(path, "/") > t.depth {
		return value, Missing
	}
	var room [16]string
	segments := room[:0]
	if path != "" {
		for segment := range strings.SplitSeq(path[1:], "/") {
			segments = append(segments, strings.ReplaceAll(segment, keptSlash, "/"))
		}
	}
	var matches [4]match[V]
	found := t.root.walk(method, segments, slash, true, matches[:0])
	best, result := choose(found, func(m match[V]) bool { return m.exact && m.own }, same)
	for _, kind := range []func(match[V]) bool{
		func(m match[V]) bool { return m.exact && !m.own },
		func(m match[V]) bool { return m.own },
		func(m match[V]) bool { return !m.own },
	} {
		other, result1 := choose(found, kind, same)
		switch {
		case result == Ambiguous || result1 == Ambiguous:
			return value, Ambiguous
		case result1 == Missing:
		case result == Missing && other.exact:
			best, result = other, result1
		case result == Missing || !same(best.value, other.value):
			return value, Ambiguous
		}
	}
	return best.value, result
}

// choose returns the most concrete match of a kind.
func choose[V any](found []match[V], isOf func(match[V]) bool, same func(a, b V) bool) (best match[V], result Result) {
	result = Missing
	for _, m := range found {
		switch {
		case !isOf(m):
		case result == Missing:
			best, result = m, Found
		case !best.end.before(m.end) && !same(best.value, m.value):
			return best, Ambiguous
		}
	}
	return best, result
}

// keptSlash is, in a reading, an encoded slash that is part of a segment. No
// path that is read contains control characters.
const keptSlash = "\x00"

// readings returns the ways to read the path of a request, the usual one first. It
// fails for a path with control characters, which servers drop or take for the end.
func readings(u *url.URL) ([]string, bool) {
	escaped := u.EscapedPath()
	if !strings.HasPrefix(escaped, "/") {
		return nil, false
	}
	if !strings.ContainsAny(escaped, `%;\`) && !strings.Contains(escaped, "//") && !strings.Contains(escaped, "/.") {
		return []string{escaped}, true
	}
	decoded, err := url.PathUnescape(encodedSlash.Replace(escaped))
	if err != nil || strings.ContainsFunc(u.Path, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return nil, false
	}
	all := []string{decoded}
	for _, change := range changes {
		for _, one := range all {
			for _, other := range change(one) {
				if !slices.Contains(all, other) {
					all = append(all, other)
				}
			}
		}
	}
	for i, path := range all {
		if !strings.HasPrefix(path, "/") {
			all[i] = "/" + path
		}
	}
	return all, true
}

var encodedSlash = strings.NewReplacer("%2F", keptSlash, "%2f", keptSlash)

// changes are what servers do with a path besides decoding it, in their order.
var changes = []func(string) []string{
	func(path string) []string { return []string{strings.ReplaceAll(path, keptSlash, "/")} },
	func(path string) []string { // decode again
		again, err := url.PathUnescape(path)
		if err != nil || strings.ContainsFunc(strings.ReplaceAll(again, keptSlash, ""), func(c rune) bool { return c < ' ' || c == 0x7f }) {
			return nil
		}
		return []string{again}
	},
	func(path string) []string { return []string{strings.ReplaceAll(path, `\`, "/")} },
	func(path string) []string { return []string{withoutParameters(path)} },
	func(path string) []string {
		merged := mergeSlashes(path)
		return []string{merged, withoutDots(path), withoutDots(merged)}
	},
}

// withoutParameters drops what follows a semicolon in each segment, the matrix
// parameters of Java servers.
func withoutParameters(path string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

func mergeSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}

// withoutDots resolves the segments `.` and `..` (RFC 3986 §5.2.4).
func withoutDots(path string) string {
	var resolved []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		switch segment {
		case "..":
			resolved = resolved[:max(0, len(resolved)-1)]
			fallthrough
		case ".":
			if last {
				resolved = append(resolved, "")
			}
		default:
			resolved = append(resolved, segment)
		}
	}
	return "/" + strings.Join(resolved, "/")
}
