package routes

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	for _, c := range []struct {
		x, y          string
		within, apart bool
	}{
		{"/a", "/a", true, false},
		{"/a", "/b", false, true},
		{"/admin", "/admin/*", false, true},
		{"/admin/*", "/admin*", true, false},
		{"/admin*", "/admin/*", false, false},
		{"/admin/x", "/admin/*", true, false},
		{"/admin/*", "/*", true, false},
		{"/*", "/admin/*", false, false},
		{"*.php", "/admin/*", false, false},
		{"/x.php", "*.php", true, false},
		{"/a/*/c.php", "*.php", true, false},
		{"/a/*/c", "/a/*", true, false},
		{"/a/*/c", "/b/*", false, true},
		{"*secret*", "/admin/*", false, false},
		{"/a/secret/*", "*secret*", true, false},
		{"*.php", "*.html", false, true},
		{"/{http.request.host}", "/a", false, false},
		{"/a%2Fb", "/a/b", false, false},
		{"/a/[bc]", "/a/*", true, false},
	} {
		if got := patternWithin(c.x, c.y); got != c.within {
			t.Errorf("%s within %s: %t", c.x, c.y, got)
		}
		if got := patternsApart(c.x, c.y); got != c.apart {
			t.Errorf("%s apart from %s: %t", c.x, c.y, got)
		}
	}
}

func TestHosts(t *testing.T) {
	for _, c := range []struct {
		x, y         string
		within, meet bool
	}{
		{"a.example.com", "*.example.com", true, true},
		{"*.example.com", "a.example.com", false, true},
		{"A.example.com", "a.example.com", true, true},
		{"a.b.example.com", "*.example.com", false, false},
		{"*.example.com", "*.example.com", true, true},
		{"{env.HOST}", "a.example.com", false, true},
	} {
		if hostWithin(c.x, c.y) != c.within || hostsMeet(c.x, c.y) != c.meet {
			t.Errorf("%s and %s: within %t, meet %t", c.x, c.y, hostWithin(c.x, c.y), hostsMeet(c.x, c.y))
		}
	}
}

// request is one request, to hold the algebra against.
type request struct{ host, method, path string }

func (q request) in(s Set) bool {
	meets := func(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }
	return meets(s.Hosts, q.host) && meets(s.Methods, q.method) &&
		(len(s.Paths) == 0 || slices.ContainsFunc(s.Paths, func(p Path) bool {
			return !slices.ContainsFunc(p, func(pattern string) bool { return !matchPattern(pattern, q.path) })
		}))
}

func (q request) inRegion(r Region) bool {
	return q.in(r.Set) && !slices.ContainsFunc(r.Except, q.in)
}

var (
	someHosts    = []string{"a.example.com", "b.example.com"}
	someMethods  = []string{"GET", "POST"}
	somePaths    = []string{"/", "/a", "/a/", "/a/b", "/a/b/c", "/b", "/b/x.php", "/ab", "/x.php"}
	somePatterns = []string{"/a", "/a/*", "/a*", "/a/b*", "*.php", "/b/*", "*b*", "/*/b"}
)

func randomSet(r *rand.Rand) (s Set) {
	if r.IntN(3) == 0 {
		s.Hosts = []string{someHosts[r.IntN(2)]}
	}
	if r.IntN(3) == 0 {
		s.Methods = []string{someMethods[r.IntN(2)]}
	}
	for range r.IntN(3) {
		s.Paths = append(s.Paths, Path{somePatterns[r.IntN(len(somePatterns))]})
	}
	return s
}

// TestSplit compares the division of regions with single requests. Every request of a
// region is in exactly one part, the right one.
func TestSplit(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		region := Region{Set: randomSet(random)}
		var matcher Matcher
		for range random.IntN(3) {
			one := Region{Set: randomSet(random)}
			for range random.IntN(2) {
				one.Except = append(one.Except, randomSet(random))
			}
			matcher = append(matcher, one)
		}
		first, _ := region.Without(randomSet(random))
		matched, rest := matcher.split(first)
		for _, host := range someHosts {
			for _, method := range someMethods {
				for _, path := range somePaths {
					q := request{host, method, path}
					if !q.inRegion(first) {
						continue
					}
					want := len(matcher) == 0 || slices.ContainsFunc(matcher, q.inRegion)
					in, out := count(matched, q), count(rest, q)
					if in+out != 1 || (in == 1) != want {
						t.Fatalf("%v of %s by %s: %d times matched, %d times not, matches: %t\nmatched %s\nrest %s",
							q, text(first), text(matcher), in, out, want, text(matched), text(rest))
					}
				}
			}
		}
	}
}

func count(parts []Region, q request) (n int) {
	for _, part := range parts {
		if q.inRegion(part) {
			n++
		}
	}
	return n
}

func text(value any) string {
	written, _ := json.Marshal(value)
	return string(written)
}

// FuzzPatterns holds what is said of two patterns against a path.
func FuzzPatterns(f *testing.F) {
	f.Add("/a/*", "/a*", "/a/b")
	f.Add("*x*", "/[a-c]/*", "/b/x")
	f.Fuzz(func(t *testing.T, x, y, candidate string) {
		if !strings.HasPrefix(candidate, "/") || path.Clean(candidate) != candidate {
			return
		}
		if opaque(x) || opaque(y) {
			return
		}
		inX, inY := matchPattern(x, candidate), matchPattern(y, candidate)
		if patternWithin(x, y) && inX && !inY {
			t.Errorf("%q is not within %q: %q", x, y, candidate)
		}
		if patternsApart(x, y) && inX && inY {
			t.Errorf("%q and %q are not apart: %q", x, y, candidate)
		}
	})
}

func ExampleConfig_Walk() {
	config, err := Parse([]byte(`{"apps": {"http": {"servers": {"srv0": {"routes": [
		{"match": [{"path": ["/admin/*"]}], "handle": [{"handler": "require_auth", "schemes": ["corp"]}]},
		{"handle": [{"handler": "reverse_proxy"}]}
	]}}}}}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range config.Walk(&config.Servers[0], Region{}).Rows {
		fmt.Println(text(row.Region), row.Handler.Name, "open:", row.Open())
	}
	// Output:
	// {"paths":[["/admin/*"]]} reverse_proxy open: false
	// {"except":[{"paths":[["/admin/*"]]}]} reverse_proxy open: true
}
