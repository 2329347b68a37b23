package openapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseKeeps(t *testing.T) {
	const document = `{"b":1.50,"a":[true,null,"<é>",{"z":1e400,"y":{}}],"c":12345678901234567890}`
	parsed, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if got := parsed.String(); got != document {
		t.Errorf("got  %s\nwant %s", got, document)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, document := range map[string]string{
		"nothing":          ``,
		"an array":         `[]`,
		"a word":           `true`,
		"a repeated name":  `{"a":1,"a":2}`,
		"a name escaped":   `{"a":1,"\u0061":2}`,
		"a second value":   `{} {}`,
		"an open end":      `{"a":`,
		"a missing comma":  `{"a":1 "b":2}`,
		"nesting":          strings.Repeat(`{"a":`, MaxDepth+1) + `1` + strings.Repeat(`}`, MaxDepth+1),
		"nesting, no end":  strings.Repeat(`[`, 1_000_000),
		"nesting in depth": `{"a":` + strings.Repeat(`[`, 1000) + strings.Repeat(`]`, 1000) + `}`,
	} {
		if parsed, err := Parse([]byte(document)); err == nil {
			t.Errorf("%s: read as %s", name, parsed)
		}
	}
}

func TestYAML(t *testing.T) {
	const document = `# a comment
openapi: 3.0.3
info: &info
  title: "yes"
  version: '1.0'
paths:
  /me:
    get:
      responses:
        200: {description: ok}
x-copy: *info
x-number: 0x10
x-list: [1, 2.5, true, null, "7"]
`
	parsed, err := ParseYAML([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"openapi":"3.0.3","info":{"title":"yes","version":"1.0"},"paths":{"/me":{"get":{"responses":{"200":{"description":"ok"}}}}},` +
		`"x-copy":{"title":"yes","version":"1.0"},"x-number":16,"x-list":[1,2.5,true,null,"7"]}`
	if got := parsed.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	written, err := WriteYAML(parsed)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseYAML(written)
	if err != nil || again.String() != want {
		t.Errorf("%v: written and read again it is %s\n%s", err, again, written)
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "*" + string(c-1) + "]\n"
	}
	for name, bad := range map[string]string{
		"empty": "", "a list": "[1]", "twice": "a: 1\na: 2", "merge": "a: &a {b: 1}\nc:\n  <<: *a\n", "bomb": bomb, "a key": "? [a]\n: 1",
	} {
		if _, err := ParseYAML([]byte(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// FuzzMerge has documents of strangers: no panic, nothing dropped, and merging
// twice is merging once.
func FuzzMerge(f *testing.F) {
	f.Add(`{"openapi":"3.1.0","paths":{"/me":{"get":{"security":[{"a":[]}]}}}}`)
	f.Add(`{"openapi":"3.0.0","security":[{}],"components":{"schemas":{"AuthProblem":1}},"paths":{"/admin/{x":{"get":{"responses":7}}}}`)
	f.Add(`{"openapi":"3.1","servers":[{"url":"//"}],"paths":{"/both/":{"get":{"security":[{"corp":["x"]},{}]},"put":{}}}}`)
	f.Fuzz(func(t *testing.T, text string) {
		document, err := Parse([]byte(text))
		if err != nil {
			return
		}
		before, err := Parse([]byte(document.String()))
		if err != nil {
			t.Fatalf("written it cannot be read: %v", err)
		}
		if Merge(document, site) != nil {
			return
		}
		once := document.String()
		again, err := Parse([]byte(once))
		if err != nil {
			t.Fatalf("merged it cannot be read: %v", err)
		}
		if err := Merge(again, site); err != nil || again.String() != once {
			t.Errorf("%v: merging again changes\n%s\nto\n%s", err, once, again)
		}
		for _, name := range before.Names() {
			if name != "paths" && name != "components" && !equal(before.Get(name), document.Get(name)) {
				t.Errorf("%s was changed", name)
			}
		}
		var theirs, ours map[string]any
		if json.Unmarshal([]byte(text), &theirs) == nil && json.Unmarshal([]byte(once), &ours) == nil {
			keeps(t, theirs, ours, "")
		}
	})
}

// keeps checks that every member is still there, and every scalar the same;
// lists may grow.
func keeps(t *testing.T, before, after any, path string) {
	switch before := before.(type) {
	case map[string]any:
		members, _ := after.(map[string]any)
		for name, value := range before {
			if _, there := members[name]; !there {
				t.Fatalf("%s/%s is gone", path, name)
			}
			if name != "security" {
				keeps(t, value, members[name], path+"/"+name)
			}
		}
	case []any:
	default:
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%s was %v and is %v", path, before, after)
		}
	}
}
