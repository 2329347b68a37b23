package routes

import (
	"path"
	"strings"
	"testing"
)

// FuzzView compares the verdict on a pattern behind a rewrite with Caddy's own matching
// of one path.
func FuzzView(f *testing.F) {
	f.Add("/api", "", "", "/x/*", "/api/x/y")
	f.Add("", "/app", "", "/*/x", "/x")
	f.Add("", "/app", "", "/app*.php", "/x.php")
	f.Add("", "", "/index", "*dex", "/x")
	f.Add("/v1", "", "", "*1/x", "/v1/x")
	f.Fuzz(func(t *testing.T, stripped, added, constant, pattern, sent string) {
		view := View{Stripped: stripped, Added: added, Constant: constant}
		for _, text := range []string{stripped, added, constant, sent} {
			if text != "" && (!strings.HasPrefix(text, "/") || path.Clean(text) != text || text == "/") || strings.ToLower(text) != text {
				return
			}
		}
		if !view.MovedPath() || strings.ContainsAny(stripped+added, `*?[\{%`) || strings.Count(stripped+added+constant, "") > 100 {
			return
		}
		var seen string
		switch {
		case constant != "" && stripped == "" && added == "":
			seen = constant
		case stripped != "" && added == "" && constant == "":
			rest, ok := strings.CutPrefix(sent, stripped)
			if !ok || !strings.HasPrefix(rest, "/") {
				return
			}
			seen = rest
		case added != "" && stripped == "" && constant == "":
			seen = added + sent
		default:
			return
		}
		if path.Clean(seen) != seen || sent == "" {
			return
		}
		translated, said := view.translatePattern(pattern)
		matches := matchPattern(pattern, seen)
		switch {
		case said == fails && matches:
			t.Errorf("%+v: %q is said to fail, and matches %q", view, pattern, seen)
		case said == holds && matches != (translated == "" || matchPattern(translated, sent)):
			t.Errorf("%+v: %q matches %q: %t, as %q it does not say so of %q", view, pattern, seen, matches, translated, sent)
		}
	})
}
