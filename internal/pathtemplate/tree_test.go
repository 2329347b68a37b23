package pathtemplate

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func same(a, b string) bool { return a == b }

// tree has templates, each with itself as its value unless one follows a space.
func tree(t testing.TB, templates ...string) *Tree[string] {
	t.Helper()
	root := new(Tree[string])
	for _, one := range templates {
		template, value, found := strings.Cut(one, " ")
		if !found {
			value = template
		}
		method := "GET"
		if before, after, ok := strings.Cut(template, ":"); ok && before != "" && !strings.HasPrefix(before, "/") {
			method, template = before, after
		}
		if err := root.Add(method, template, value); err != nil {
			t.Fatalf("%s: %v", one, err)
		}
	}
	return root
}

func lookup(root *Tree[string], method, target string) string {
	address, err := url.ParseRequestURI(target)
	if err != nil {
		return "invalid"
	}
	value, result := root.Lookup(&http.Request{Method: method, URL: address, Header: make(http.Header)}, same)
	return map[Result]string{Found: value, Missing: "missing", Ambiguous: "ambiguous"}[result]
}

func TestLookup(t *testing.T) {
	for _, c := range []struct {
		name, templates, path, want string
	}{
		{"the root", "/", "/", "/"},
		{"a fixed path", "/a/b", "/a/b", "/a/b"},
		{"a longer path", "/a", "/a/b", "missing"},
		{"a shorter path", "/a/b", "/a", "missing"},
		{"a parameter", "/a/{x}", "/a/7", "/a/{x}"},
		{"a parameter is one segment", "/a/{x}", "/a/7/8", "missing"},
		{"a parameter is not empty", "/a/{x}", "/a//", "missing"},
		{"an empty parameter is the path before", "/a/{x} one|/a two", "/a/", "two"},
		{"fixed before a parameter", "/a/{x}|/a/me", "/a/me", "/a/me"},
		{"the parameter where the fixed one goes on otherwise", "/a/{x}/c|/a/b/d", "/a/b/c", "/a/{x}/c"},
		{"no order, different values", "/{x}/me|/books/{y}", "/books/me", "ambiguous"},
		{"no order, the same value", "/{x}/me same|/books/{y} same", "/books/me", "same"},
		{"a part of a segment", "/f/{name}.json", "/f/a.json", "/f/{name}.json"},
		{"a part of a segment, nothing else", "/f/{name}.json", "/f/.json", "missing"},
		{"two parameters in a segment", "/f/{a}-{b}", "/f/1-2-3", "/f/{a}-{b}"},
		{"two parameters, one empty", "/f/{a}-{b}", "/f/-2", "missing"},
		{"a part and all of a segment have no order", "/f/{name}.json|/f/{name}", "/f/a.json", "ambiguous"},
		{"a verb behind a parameter", "/v1/{name}:cancel", "/v1/x:cancel", "/v1/{name}:cancel"},
		{"a slash at the end", "/a/", "/a/", "/a/"},
		{"a slash too many", "/a", "/a/", "/a"},
		{"a slash too few", "/a/", "/a", "/a/"},
		{"both paths are there", "/a one|/a/ two", "/a/", "two"},
		{"a slash and another template", "/{x}/ one|/a two", "/a/", "ambiguous"},
		{"an escape", "/caf%C3%A9", "/café", "/caf%C3%A9"},
		{"an escape of the request", "/café", "/caf%C3%A9", "/café"},
		{"an escaped letter", "/a", "/%61", "/a"},
		{"other capitals are not the path", "/a", "/A", "ambiguous"},
		{"capitals that a parameter takes", "/a/{x} one|/a/me two", "/a/ME", "ambiguous"},
		{"capitals, and the same value", "/a/{x} one|/a/me one", "/a/ME", "one"},
		{"capitals in a parameter", "/a/{x}", "/a/ME", "/a/{x}"},
		{"an encoded slash in a parameter", "/a/{x}", "/a/b%2Fc", "ambiguous"},
		{"an encoded slash that leads elsewhere", "/a/{x} one|/a/b/c two", "/a/b%2Fc", "ambiguous"},
		{"an encoded slash, and the same value", "/a/{x} one|/a/b/c one", "/a/b%2fc", "one"},
		{"doubled slashes", "/a/b", "/a//b", "ambiguous"},
		{"dots", "/a|/b", "/b/../a", "ambiguous"},
		{"dots in a parameter", "/a/{x}", "/a/..", "ambiguous"},
		{"encoded dots", "/a/{x}", "/a/%2e%2e", "ambiguous"},
		{"dots at the end", "/a", "/a/.", "ambiguous"},
		{"dots that are part of a name", "/a/{x}", "/a/..b", "/a/{x}"},
		{"a dot file", "/a/{x}", "/a/.b", "/a/{x}"},
		{"a matrix parameter", "/a", "/a;x=1", "ambiguous"},
		{"a matrix parameter of a parameter", "/a/{x}", "/a/b;x=1", "/a/{x}"},
		{"a matrix parameter that hides a segment", "/a/{x} one|/a/me two", "/a/me;x", "ambiguous"},
		{"dots behind a matrix parameter", "/a|/b/{x}", "/b/..;/a", "ambiguous"},
		{"a backslash", "/a/b", `/a%5Cb`, "ambiguous"},
		{"a double encoding", "/admin", "/%2561dmin", "ambiguous"},
		{"a double encoding in a parameter", "/a/{x}", "/a/%2541", "/a/{x}"},
		{"a percent sign", "/a/{x}", "/a/100%25", "/a/{x}"},
		{"a zero byte", "/a/{x}", "/a/b%00", "ambiguous"},
		{"a line end", "/a/{x}", "/a/b%0a", "ambiguous"},
		{"nothing that is there", "/a", "/b%2Fc", "missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := lookup(tree(t, strings.Split(c.templates, "|")...), "GET", c.path); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	root := tree(t, "GET:/a get", "PUT:/a put", "HEAD:/b head", "GET:/b get", "COPY:/c copy", "DELETE:/u/{x} delete", "GET:/u/me get")
	for request, want := range map[string]string{
		"GET /a": "get", "HEAD /a": "get", "HEAD /b": "head", "PUT /a": "put", "POST /a": "missing", "OPTIONS /a": "missing",
		"COPY /c": "copy", "put /a": "ambiguous", "DELETE /u/me": "delete", "GET /u/me": "get",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := lookup(root, method, path); got != want {
			t.Errorf("%s: got %s, want %s", request, got, want)
		}
	}
	for field, want := range map[string]Result{"X-HTTP-Method-Override": Ambiguous, "x_http_method": Ambiguous, "X-Method": Found} {
		r := httptest.NewRequest("GET", "/a", nil)
		r.Header[field] = []string{"PUT"}
		if _, result := root.Lookup(r, same); result != want {
			t.Errorf("%s: %v", field, result)
		}
	}
	if _, result := root.Lookup(&http.Request{Method: "OPTIONS", URL: &url.URL{Path: "*"}}, same); result != Ambiguous {
		t.Errorf("OPTIONS *: %v", result)
	}
}

// TestSearch compares the search with one that tries every template.
func TestSearch(t *testing.T) {
	dice := rand.New(rand.NewPCG(16, 3986))
	text := func(letters ...string) (all string) {
		for range dice.IntN(4) {
			all += letters[dice.IntN(len(letters))]
		}
		return all
	}
	// A Kelvin sign and a dotted I are shorter in lower case.
	letters := []string{"a", "A", "k", "\u212a", "\u0130", "é", "É", "-", "."}
	for range 300 {
		root := new(Tree[string])
		parts := make(map[string][]string)
		for range 30 {
			segment := text(letters...) + "{x}" + text(letters...)
			if dice.IntN(3) == 0 {
				segment += "{y}" + text(letters...)
			}
			if root.Add("GET", "/"+segment, segment) == nil {
				parts[segment], _ = parseSegment(segment)
			}
		}
		for range 100 {
			segment := text(append(letters, "\xc3", "\xa9")...) + text(letters...)
			if segment == "" {
				continue
			}
			var want, got []string
			for template, parts := range parts {
				var folded []string
				for _, part := range parts {
					folded = append(folded, strings.ToLower(part))
				}
				switch {
				case matchesParts(parts, segment):
					want = append(want, template+" true")
				case matchesParts(folded, strings.ToLower(segment)):
					want = append(want, template+" false")
				}
			}
			for _, m := range root.root.walk("GET", []string{segment}, false, true, nil) {
				got = append(got, fmt.Sprint(m.value, " ", m.exact))
			}
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("%q matches %q, want %q", segment, got, want)
			}
		}
	}
}

func TestAddRefuses(t *testing.T) {
	for _, template := range []string{"", "a", "/a?b", "/a#b", "/{a", "/a}", "/{}", "/{a{b}}", "/a/../b", "/./a", "/%zz", "/a%2Fb", `/a\b`, "/a;b", "/{x}%A9"} {
		if err := new(Tree[int]).Add("GET", template, 1); err == nil {
			t.Errorf("%s is taken", template)
		}
		if _, err := Key(template); err == nil {
			t.Errorf("%s has a key", template)
		}
	}
	root := tree(t, "/a/{x}/{y}.json")
	if err := root.Add("GET", "/a/{other}/{name}.json", ""); err == nil {
		t.Error("paths that differ in names are taken")
	}
	one, _ := Key("/a/{x}")
	for _, template := range []string{"/a/x", "/a/{x}/", "/a/{x}y", "/{a}/x", "/a/{x}/{x}"} {
		if other, err := Key(template); err != nil || other == one {
			t.Errorf("%s: %q, %v", template, other, err)
		}
	}
}

// FuzzLookup has paths for which no reading may lead to an operation that the usual
// reading does not lead to.
func FuzzLookup(f *testing.F) {
	root := tree(f, "/public", "/public/{x}", "/admin", "/admin/{x}", "/files/{name}.json", "/users/me", "/users/{id}")
	for _, path := range []string{"/public/..%2Fadmin", "/public/;/../admin", "/PUBLIC/x", `/public\..\admin`, "/%2570ublic", "/public//x", "/users/me", "/files/a.json", "/"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		value := lookup(root, "GET", path)
		if value == "invalid" || value == "missing" || value == "ambiguous" {
			return
		}
		address, _ := url.ParseRequestURI(path)
		// Go's own multiplexer, after a server has decoded and cleaned the path twice, as two
		// servers in a row may.
		for _, reading := range []string{address.Path, withoutDots(mergeSlashes(address.Path)), withoutDots(strings.ReplaceAll(address.Path, `\`, "/"))} {
			found := ""
			for _, template := range []string{"/admin", "/admin/{x}", "/public", "/public/{x}", "/files/{name}.json", "/users/me", "/users/{id}"} {
				if matchesWhole(template, strings.TrimSuffix(reading, "/")) {
					found = template
					break
				}
			}
			if found != value {
				t.Errorf("%q: %s, and %q is %q", path, value, reading, found)
			}
		}
	})
}

// matchesWhole is another way to match.
func matchesWhole(template, path string) bool {
	templates, paths := strings.Split(template, "/"), strings.Split(path, "/")
	if len(templates) != len(paths) {
		return false
	}
	for i, segment := range templates {
		before, rest, found := strings.Cut(segment, "{")
		_, after, _ := strings.Cut(rest, "}")
		ok := segment == paths[i]
		if found {
			ok = len(paths[i]) > len(before)+len(after) && strings.HasPrefix(paths[i], before) && strings.HasSuffix(paths[i], after)
		}
		if !ok {
			return false
		}
	}
	return true
}

// BenchmarkLookup shows that the number of templates does not matter.
func BenchmarkLookup(b *testing.B) {
	for _, count := range []int{10, 10_000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			root := new(Tree[string])
			for i := range count {
				if err := root.Add("GET", fmt.Sprintf("/api/v1/things%d/{id}/parts/{part}", i), "x"); err != nil {
					b.Fatal(err)
				}
			}
			r := httptest.NewRequest("GET", fmt.Sprintf("/api/v1/things%d/17/parts/wheel", count/2), nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, result := root.Lookup(r, same); result != Found {
					b.Fatal(result)
				}
			}
		})
	}
}
