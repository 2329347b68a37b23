package sourcepos

import (
	"fmt"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

const sites = `{
	auth {
		bearer corp {
			audience *
		}
		bearer own {
			audience "*"
		}
	}
}
(common) {
	require_auth /snippet
}
a.example.com {
	require_auth /x corp {
		scope a
	}
	require_auth /x corp {
		scope b
	}
	handle /y {
		reverse_proxy localhost:9000
	}
	handle {
		reverse_proxy localhost:9000
	}
	import common
}
https://b.example.com:8443, b.example.org {
	@x {
		path /x /z
		header Foo @x
	}
	require_auth @x corp {
		scope a
	}
	respond "{" 200
	handle_errors {
		reverse_proxy localhost:9000
	}
	import common
}
`

func TestFind(t *testing.T) {
	text, err := Parse("Caddyfile", []byte(sites))
	if err != nil {
		t.Fatal(err)
	}
	line := func(words ...string) Line { return Line{Names: words[:1], Words: words[1:]} }
	for name, c := range map[string]struct {
		query Query
		want  string
	}{
		"a line in a block":        {Query{Lines: []Line{line("auth"), line("bearer", "own"), line("audience", "*")}}, "[Caddyfile:7]"},
		"by what is in its block":  {Query{Hosts: []string{"a.example.com"}, Lines: []Line{line("require_auth", "/x", "b")}}, "[Caddyfile:18]"},
		"by what is around it":     {Query{Hosts: []string{"a.example.com"}, Lines: []Line{line("reverse_proxy", "/y")}}, "[Caddyfile:22]"},
		"by what is not around it": {Query{Hosts: []string{"a.example.com"}, Lines: []Line{line("reverse_proxy", "localhost:9000")}}, "[Caddyfile:25]"},
		"by a named matcher":       {Query{Hosts: []string{"b.example.com"}, Lines: []Line{line("require_auth", "/x", "/z")}}, "[Caddyfile:34]"},
		"by another host":          {Query{Hosts: []string{"b.example.org"}, Lines: []Line{line("reverse_proxy")}}, "[Caddyfile:39]"},
		"in a snippet":             {Query{Lines: []Line{line("require_auth", "/snippet")}}, "[Caddyfile:12]"},
		"nothing tells it apart":   {Query{Hosts: []string{"a.example.com"}, Lines: []Line{line("require_auth", "/x")}}, "[Caddyfile:15 Caddyfile:18]"},
		"a host that is not there": {Query{Hosts: []string{"c.example.com"}, Lines: []Line{line("require_auth", "/x", "b")}}, "[Caddyfile:18]"},
		"no such line":             {Query{Lines: []Line{line("file_server")}}, "[]"},
	} {
		if got := fmt.Sprint(text.Find(c.query)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// FuzzParse has files that are being written: no panic, whatever they look
// like.
func FuzzParse(f *testing.F) {
	f.Add(sites)
	f.Add("a {\n}\n}")
	f.Add("@a {\n@a @a {\n@a\n}\n}\n")
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := caddyfile.Tokenize([]byte(text), "Caddyfile")
		if err != nil {
			return
		}
		root := &Node{Words: []string{"site"}}
		root.addLines(tokens)
		parsed := &Text{blocks: []*Node{root}}
		for _, token := range tokens {
			parsed.Find(Query{Hosts: []string{"site"}, Lines: []Line{{Names: []string{token.Text}, Words: []string{"@a", "x"}}}})
		}
	})
}
