package routes

import (
	"encoding/json"
	"slices"
	"testing"
)

func TestHostPatterns(t *testing.T) {
	matcher := func(set string) Matcher {
		var sets MatcherSet
		if err := json.Unmarshal([]byte(set), &sets); err != nil {
			t.Fatal(err)
		}
		return NewMatcher([]MatcherSet{sets})
	}
	route := func(set string, handlers ...Handler) Route { return Route{Match: matcher(set), Handle: handlers} }
	server := &Server{
		Routes: []Route{route(`{"host":["b.example"]}`,
			Handler{Routes: []Route{route(`{"not":[{"host":["*.c.example"]}]}`)}},
			Handler{Responses: []Response{{Routes: []Route{route(`{"host":["d.example"]}`)}}}, Errors: []Route{route(`{"host":["e.example"]}`)}})},
		Errors: []Route{route(`{"host":["f.example"]}`)},
		Named:  map[string]Route{"n": route(`{"host":["b.example"]}`), "m": route(`{"host":["{env.HOST}"]}`)},
	}
	patterns := server.HostPatterns()
	if want := []string{"*.c.example", "b.example", "d.example", "e.example", "f.example", "{env.HOST}"}; !slices.Equal(patterns, want) {
		t.Errorf("got %q", patterns)
	}
	for _, alike := range [][2]string{{"x.example", "y.example"}, {"a.c.example", "b.c.example"}, {"B.example", "b.example"}} {
		if patterns.Match(alike[0]) != patterns.Match(alike[1]) {
			t.Errorf("%q are told apart", alike)
		}
	}
	for _, apart := range [][2]string{{"b.example", "x.example"}, {"a.c.example", "x.example"}, {"a.c.example", "c.example"}, {"d.example", "e.example"}} {
		if patterns.Match(apart[0]) == patterns.Match(apart[1]) {
			t.Errorf("%q are not told apart", apart)
		}
	}
}
