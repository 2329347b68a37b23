package openapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// toJSON is a document as JSON.
func toJSON(t *testing.T, document *yaml.Node) string {
	t.Helper()
	text, err := Write(document, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseKeeps(t *testing.T) {
	const document = `{"b":1.50,"a":[true,null,"<é>",{"z":1e400,"y":{}}],"c":12345678901234567890,"404":"7","true":"null"}`
	parsed, err := Parse([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	if got := toJSON(t, parsed); got != document {
		t.Errorf("got  %s\nwant %s", got, document)
	}
	parsed, err = Parse([]byte("{\n\t\"a\":\t\"\\ud83d\\ude00\\/\\u007f\"}"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := toJSON(t, parsed), "{\"a\":\"\U0001f600/\x7f\"}"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
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
			t.Errorf("%s: read as %s", name, toJSON(t, parsed))
		}
	}
}

func TestYAML(t *testing.T) {
	const document = `# a comment

openapi: 3.0.3
info: &info
  title: "yes" # another
  version: '1.0'
paths:
  /me:
    get:
      # a third
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
	want := strings.NewReplacer(": &info", ":", "x-copy: *info", "x-copy:\n  title: \"yes\" # another\n  version: '1.0'").Replace(document)
	written, err := WriteYAML(parsed)
	if err != nil || string(written) != want {
		t.Errorf("%v: got\n%s\nwant\n%s", err, written, want)
	}
	if err := Merge(parsed, site); err != nil {
		t.Fatal(err)
	}
	if written, err = WriteYAML(parsed); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"# a comment\n", "      # a third\n", `        200: {description: ok}
        "401":
          $ref: '#/components/responses/AuthUnauthorized'
      security:
        - corp: []
`} {
		if !strings.Contains(string(written), part) {
			t.Errorf("%q is missing in\n%s", part, written)
		}
	}
	again, err := ParseYAML(written)
	if err != nil {
		t.Fatal(err)
	}
	if err := Merge(again, site); err != nil {
		t.Fatal(err)
	}
	if twice, err := WriteYAML(again); err != nil || string(twice) != string(written) {
		t.Errorf("%v: merging again changes\n%s\nto\n%s", err, written, twice)
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+",", 9) + "*" + string(c-1) + "]\n"
	}
	for name, bad := range map[string]string{
		"empty": "", "a list": "[1]", "twice": "a: 1\na: 2", "merge": "a: &a {b: 1}\nc:\n  <<: *a\n", "bomb": bomb, "a key": "? [a]\n: 1", "itself": "a: &a [*a]", "twice, in other words": "1: a\n\"1\": b",
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
		before, err := Parse([]byte(toJSON(t, document)))
		if err != nil {
			t.Fatalf("written it cannot be read: %v", err)
		}
		if Merge(document, site) != nil {
			return
		}
		once := toJSON(t, document)
		again, err := Parse([]byte(once))
		if err != nil {
			t.Fatalf("merged it cannot be read: %v", err)
		}
		if err := Merge(again, site); err != nil || toJSON(t, again) != once {
			t.Errorf("%v: merging again changes\n%s\nto\n%s", err, once, toJSON(t, again))
		}
		for name, value := range members(before.Content[0]) {
			var left, right bytes.Buffer
			if err := errors.Join(encode(&left, value), encode(&right, get(document.Content[0], name.Value))); err != nil {
				t.Fatal(err)
			}
			if name.Value != "paths" && name.Value != "components" && left.String() != right.String() {
				t.Errorf("%s was changed", name.Value)
			}
		}
		var expanded, ours map[string]any
		if json.Unmarshal([]byte(text), &expanded) == nil && json.Unmarshal([]byte(once), &ours) == nil {
			keeps(t, expanded, ours, "")
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
