package routes

import (
	"encoding/json"
	"slices"
	"strings"
)

// View is how the path that matchers see has come from the path that the
// client sent. The zero value is the path as it was sent.
type View struct {
	// Stripped is a prefix that was taken away, Added one that was put in
	// front; at most one of them is set.
	Stripped, Added string
	// Constant is the path if it is always the same.
	Constant string
	// Method is the method if it was changed.
	Method string
	// Own says that no client chooses the path. It is known of the routes of
	// [Substitute] only.
	Own bool
	// Files says that a rewrite looked for a file, so the path is that of the request or
	// one of the configuration.
	Files bool
	// Unknown counts rewrites that cannot be followed; what was known before
	// them does not help any more.
	Unknown int
}

// MovedPath reports whether the path is not what the client sent.
func (v View) MovedPath() bool { return v != View{Method: v.Method} }

// Known reports whether conditions on the path can be followed back.
func (v View) Known() bool { return v.Unknown == 0 }

// Sent says which requests are meant by a region of those that are seen; ok is
// false if there are surely none.
func (v View) Sent(seen Region) (sent Region, ok bool) { return v.translate(seen) }

// translate turns a condition on the rewritten path into one on the original path. If
// it surely does not hold, ok is false.
func (v View) translate(r Region) (sent Region, ok bool) {
	if sent.Set, ok = v.translateSet(r.Set); !ok {
		return Region{}, false
	}
	for _, except := range r.Except {
		if except, some := v.translateSet(except); some {
			sent.Except = append(sent.Except, except)
		}
	}
	return sent, true
}

func (v View) translateSet(s Set) (Set, bool) {
	if v.Method != "" && len(s.Methods) > 0 {
		if !slices.Contains(s.Methods, v.Method) {
			return Set{}, false
		}
		s.Methods = nil
	}
	if !v.MovedPath() {
		return s, true
	}
	s.Other = v.onRewritten(s.Other)
	if len(s.Paths) == 0 {
		return s, true
	}
	seen := s.Paths
	s.Paths = nil
	all := false
	for _, alternative := range seen {
		path, verdict := v.translatePath(alternative)
		switch {
		case verdict == unsure:
			condition := Condition{Matcher: "rewritten path", Value: joinPaths(seen), After: v}
			s.Paths = nil
			s.Other = append(slices.Clip(s.Other), condition)
			return s, true
		case verdict == holds && len(path) == 0:
			all = true
		case verdict == holds:
			s.Paths = append(s.Paths, path)
		}
	}
	if all {
		s.Paths = nil
	}
	return s, all || len(s.Paths) > 0
}

// pathless are the matchers that do not look at the path or the query.
var pathless = []string{"client_ip", "header", "header_regexp", "protocol", "remote_ip", "tls", "vars"}

// onRewritten marks conditions that are known by name only and apply to a rewritten
// path. A gate may match the condition where an answer matches it on another path.
func (v View) onRewritten(conditions []Condition) []Condition {
	after := slices.Clone(conditions)
	for i, condition := range after {
		if !slices.Contains(pathless, condition.Matcher) || strings.Contains(condition.Value, "{http.request.") {
			after[i].Matcher, after[i].After = "rewritten "+condition.Matcher, v
		}
	}
	return after
}

// verdict is whether a condition on the path as it is seen can be said of the
// path as it was sent.
type verdict uint8

const (
	unsure verdict = iota
	fails
	holds
)

// translatePath returns the patterns for the path as it was sent, none if
// every such path will do.
func (v View) translatePath(seen Path) (sent Path, result verdict) {
	for _, pattern := range seen {
		translated, result := v.translatePattern(pattern)
		if result != holds {
			return nil, result
		}
		if translated != "" {
			sent = append(sent, translated)
		}
	}
	return sent, holds
}

func (v View) translatePattern(seen string) (sent string, result verdict) {
	switch {
	case opaque(seen) || v.Unknown > 0 || !strings.HasPrefix(seen, "/"):
		if v.Constant == "" || opaque(seen) {
			return "", unsure
		}
		fallthrough
	case v.Constant != "":
		if !matchPattern(seen, strings.ToLower(v.Constant)) {
			return "", fails
		}
		return "", holds
	case v.Stripped != "":
		return strings.ToLower(v.Stripped) + seen, holds
	}
	return withoutPrefix(seen, strings.ToLower(v.Added))
}

// withoutPrefix says what a pattern for a path asks of the part behind a prefix;
// empty is nothing.
func withoutPrefix(pattern, prefix string) (rest string, result verdict) {
	rest, begins := strings.CutPrefix(pattern, prefix)
	inner, _, ends, simple := affix(pattern)
	switch {
	case begins && everything(rest), simple && ends && strings.HasPrefix(prefix, inner):
		return "", holds
	case begins && strings.HasPrefix(rest, "/"):
		return rest, holds
	case literal(pattern), simple && ends:
		return "", fails
	}
	return "", unsure
}

// rewriting is what the handler rewrite and the field of the same name in
// reverse_proxy have.
type rewriting struct {
	Method          string            `json:"method"`
	URI             string            `json:"uri"`
	StripPathPrefix string            `json:"strip_path_prefix"`
	StripPathSuffix string            `json:"strip_path_suffix"`
	URISubstring    []json.RawMessage `json:"uri_substring"`
	PathRegexp      []json.RawMessage `json:"path_regexp"`
}

// after returns the view behind a rewrite.
func (v View) after(r rewriting) View {
	method := v.Method
	if r.Method != "" {
		method = strings.ToUpper(r.Method)
	}
	v.Method = ""
	if r.URI != "" {
		v = v.afterURI(r.URI)
	}
	if r.StripPathPrefix != "" {
		v = v.afterStrip(r.StripPathPrefix)
	}
	if r.StripPathSuffix != "" || len(r.URISubstring) > 0 || len(r.PathRegexp) > 0 {
		v = v.lose()
	}
	v.Method = method
	return v
}

func (v View) lose() View { return View{Unknown: v.Unknown + 1} }

// placeholders for the unchanged path or the whole URI.
var pathPlaceholders = []string{"{http.request.uri}", "{http.request.uri.path}"}

func (v View) afterURI(uri string) View {
	path, _, _ := strings.Cut(uri, "?")
	switch {
	case path == "{http.matchers.file.relative}":
		return View{Unknown: v.Unknown + 1, Files: !v.MovedPath()}
	case path == "":
		return v // only the query changes
	case !strings.Contains(path, "{"):
		return View{Constant: path}
	}
	for _, placeholder := range pathPlaceholders {
		prefix, ok := strings.CutSuffix(path, placeholder)
		if ok && !strings.Contains(prefix, "{") && v == (View{Added: v.Added}) {
			return View{Added: strings.TrimSuffix(prefix, "/") + v.Added}
		}
	}
	return v.lose()
}

func (v View) afterStrip(prefix string) View {
	if strings.Contains(prefix, "{") {
		return v.lose()
	}
	if !strings.HasPrefix(prefix, "/") {
		prefix = "/" + prefix
	}
	switch {
	case v.Constant != "":
		return View{Constant: strings.TrimPrefix(v.Constant, prefix)}
	case v.Unknown == 0 && v.Added == "":
		return View{Stripped: v.Stripped + prefix}
	}
	return v.lose()
}

func joinPaths(paths []Path) string {
	var b strings.Builder
	for i, path := range paths {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.Join(path, "&"))
	}
	return b.String()
}
