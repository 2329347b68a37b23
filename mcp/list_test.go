package mcp

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

var listing = &Policy{BodyLimit: 1 << 20, List: filtered, Rules: []Rule{
	{Method: "tools/call", Name: "delete_*", Scopes: []string{"delete"}},
	{Method: "resources/read", Name: "file:///secret/*", Scopes: []string{"secret"}},
	{Method: "resources/read", Name: "file:///one", Scopes: []string{"one"}},
	{Method: "prompts/get", Scopes: []string{"prompts"}},
}}

// holds is a caller with some scopes.
func holds(held ...string) func([]string) bool {
	return func(scopes []string) bool {
		return !slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(held, scope) })
	}
}

func tools(names ...string) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf(`{"inputSchema": {"name":"delete_x"}, "name":%q}`, name))
	}
	return `{"jsonrpc":"2.0", "id":1,"result":{"nextCursor":"n", "tools": [` + strings.Join(all, ",") + `],"_meta":{}}}`
}

func TestFilter(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"tools":                          {tools("read", "delete_x", "write"), tools("read", "write")},
		"every tool":                     {tools("delete_x", "delete_y"), tools()},
		"nothing to remove":              {tools("a", "b"), tools("a", "b")},
		"an empty page":                  {tools(), tools()},
		"a name in escapes":              {`{"result":{"tools":[{"n\u0061me":"d\u0065lete_x"}]}}`, `{"result":{"tools":[]}}`},
		"a batch":                        {"[" + tools("delete_x") + "," + tools("a") + "]", "[" + tools() + "," + tools("a") + "]"},
		"prompts":                        {`{"result":{"prompts":[{"name":"p"}]}}`, `{"result":{"prompts":[]}}`},
		"resources":                      {`{"result":{"resources":[{"uri":"file:///secret/a","name":"x"},{"uri":"file:///b"}]}}`, `{"result":{"resources":[{"uri":"file:///b"}]}}`},
		"a template that can be used":    {`{"result":{"resourceTemplates":[{"uriTemplate":"file:///{path}"}]}}`, `{"result":{"resourceTemplates":[{"uriTemplate":"file:///{path}"}]}}`},
		"a template that cannot":         {`{"result":{"resourceTemplates":[{"uriTemplate":"file:///secret/{name}"},{"uriTemplate":"file:///one"}]}}`, `{"result":{"resourceTemplates":[]}}`},
		"a notification":                 {`{"jsonrpc":"2.0","method":"x","params":{"tools":[{"name":"delete_x"}]}}`, `{"jsonrpc":"2.0","method":"x","params":{"tools":[{"name":"delete_x"}]}}`},
		"an error":                       {`{"id":1,"error":{"code":1}}`, `{"id":1,"error":{"code":1}}`},
		"a result that is not an object": {`{"result":1}`, `{"result":1}`},
		"tools twice":                    {`{"result":{"tools":[],"tools":[{"name":"delete_x"}]}}`, ""},
		"two results":                    {`{"result":{},"result":{"tools":[{"name":"delete_x"}]}}`, ""},
		"tools that are no list":         {`{"result":{"tools":{"name":"delete_x"}}}`, ""},
		"a tool that is a text":          {`{"result":{"tools":["delete_x"]}}`, ""},
		"a tool without a name":          {`{"result":{"tools":[{"title":"delete_x"}]}}`, ""},
		"a tool with two names":          {`{"result":{"tools":[{"name":"a","name":"delete_x"}]}}`, ""},
		"half an answer":                 {tools("a")[:40], ""},
		"two answers":                    {tools("a") + tools("b"), ""},
		"a text":                         {`"delete_x"`, ""},
		"nested lists":                   {"[[" + tools("delete_x") + "]]", ""},
		"not UTF-8":                      {"{\"result\":\"\xff\"}", ""},
		"nesting":                        {`{"result":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + "}", ""},
	} {
		t.Run("MCP-4: "+name, func(t *testing.T) {
			got, err := filter{listing, holds()}.message(c.text)
			if (err != nil) != (c.want == "") || err == nil && got != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
		})
	}
	t.Run("MCP-4: who has the scope sees all", func(t *testing.T) {
		if got, err := (filter{listing, holds("delete")}).message(tools("read", "delete_x")); err != nil || got != tools("read", "delete_x") {
			t.Errorf("%v %s", err, got)
		}
	})
}

func TestListWriter(t *testing.T) {
	answer := func(method, media, coding string, status int, parts ...string) (*httptest.ResponseRecorder, error) {
		recorder := httptest.NewRecorder()
		w := listing.FilterLists(recorder, httptest.NewRequest(method, "/", nil), holds())
		w.Header().Set("Content-Type", media)
		if coding != "" {
			w.Header().Set("Content-Encoding", coding)
		}
		w.WriteHeader(status)
		for _, part := range parts {
			_, _ = w.Write([]byte(part))
		}
		return recorder, w.Close()
	}
	event := func(text string) string { return "event: message\nid: 1\ndata: " + text + "\n\n" }
	stream := "\ufeff: ping\n\n" + event(tools("a", "delete_x")) + "id: 2\ndata:\n\n"
	want := ": ping\n\n" + "event: message\nid: 1\ndata: " + tools("a") + "\n\n" + "id: 2\ndata: \n\n"
	for _, ends := range []string{"\n", "\r", "\r\n"} {
		t.Run(fmt.Sprintf("MCP-4: an event stream with lines that end in %q", ends), func(t *testing.T) {
			text := strings.ReplaceAll(stream, "\n", ends)
			for _, size := range []int{1, 7, len(text)} {
				var parts []string
				for part := range slices.Chunk([]byte(text), size) {
					parts = append(parts, string(part))
				}
				for _, method := range []string{"POST", "GET"} {
					got, err := answer(method, "text/event-stream", "", 200, parts...)
					if text := got.Body.String(); err != nil || text != want {
						t.Fatalf("%v in parts of %d\n got %q\nwant %q", err, size, text, want)
					}
				}
			}
		})
	}
	for name, c := range map[string]struct {
		media, body string
		status      int
	}{
		"in JSON": {"application/json", tools("a", "delete_x"), 200}, "in events": {"text/event-stream", event(tools("a", "delete_x")), 200},
		"that cannot be read": {"application/json", "{", 502},
	} {
		t.Run("MCP-4: no digest of another body stays on a list "+name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			w := listing.FilterLists(recorder, httptest.NewRequest("POST", "/", nil), holds())
			fields := []string{"Etag", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5", "Signature", "Signature-Input"}
			for _, field := range fields {
				w.Header().Set(field, "of the upstream")
			}
			w.Header().Set("Content-Type", c.media)
			_, _ = w.Write([]byte(c.body))
			_ = w.Close()
			for _, field := range fields {
				if recorder.Result().Header.Get(field) != "" {
					t.Errorf("%s stays", field)
				}
			}
			if recorder.Code != c.status || c.status == 502 && recorder.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", recorder.Code, recorder.Header())
			}
		})
	}
	t.Run("MCP-4: data in several lines", func(t *testing.T) {
		got, err := answer("POST", "text/event-stream", "", 200, "data: {\"result\":{\"tools\":[\ndata: {\"name\":\"delete_x\"}\ndata: ]}}\n\n")
		if err != nil || got.Body.String() != "data: {\"result\":{\"tools\":[]}}\n\n" {
			t.Errorf("%v %q", err, got.Body)
		}
	})
	t.Run("MCP-4: an event that is not complete is not sent", func(t *testing.T) {
		if got, _ := answer("POST", "text/event-stream", "", 200, "data: "+tools("a")+"\n"); got.Body.Len() > 0 {
			t.Errorf("%q", got.Body)
		}
	})
	t.Run("MCP-4: an event that cannot be read ends the stream", func(t *testing.T) {
		if got, err := answer("POST", "text/event-stream", "", 200, "data: "+tools("delete_x")[1:]+"\n\n", event(tools("a"))); err == nil || got.Body.Len() > 0 {
			t.Errorf("%v %q", err, got.Body)
		}
	})
	for name, c := range map[string]struct {
		method, media, coding string
		status                int
		body                  string
		want                  int
		sent                  string
	}{
		"JSON":                    {"POST", "application/json; charset=utf-8", "", 200, tools("a", "delete_x"), 200, tools("a")},
		"JSON in parts of a name": {"POST", "application/json", "identity", 200, tools("delete_x"), 200, tools()},
		"another status":          {"POST", "application/json", "", 404, tools("delete_x"), 404, tools()},
		"an error in text":        {"POST", "text/plain", "", 404, "not found", 404, "not found"},
		"accepted":                {"POST", "", "", 202, "", 202, ""},
		"GET without events":      {"GET", "text/plain", "", 405, "no", 405, "no"},
		"a list in text":          {"POST", "text/plain", "", 200, tools("delete_x"), 502, ""},
		"gzip":                    {"POST", "application/json", "gzip", 200, "\x1f\x8b", 502, ""},
		"events in gzip":          {"GET", "text/event-stream", "gzip", 200, "\x1f\x8b", 502, ""},
		"half an answer":          {"POST", "application/json", "", 200, tools("delete_x")[:50], 502, ""},
		"a large answer":          {"POST", "application/json", "", 200, strings.Repeat(" ", maxAnswer+1), 502, ""},
	} {
		t.Run("MCP-4: "+name, func(t *testing.T) {
			got, err := answer(c.method, c.media, c.coding, c.status, c.body)
			if got.Code != c.want || (err != nil) != (c.want == 502) || err == nil && got.Body.String() != c.sent || c.want == 502 && strings.Contains(got.Body.String(), "delete_x") {
				t.Errorf("%v: %d %q", err, got.Code, got.Body)
			}
		})
	}
}

// FuzzFilter compares with a filter that decodes all of an answer.
func FuzzFilter(f *testing.F) {
	f.Add(tools("a", "delete_x"))
	f.Add("[" + tools("delete_x") + "," + tools() + "]")
	f.Add(`{"result":{"resources":[{"uri":"file:///secret/a"}],"prompts":[{"name":"p"}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		got, err := filter{listing, holds()}.message(text)
		if err != nil {
			return
		}
		var before, after any
		if json.Unmarshal([]byte(text), &before) != nil || json.Unmarshal([]byte(got), &after) != nil {
			return // numbers out of range; the text stays as it is
		}
		all, isBatch := after.([]any)
		if !isBatch {
			all = []any{after}
		}
		for _, message := range all {
			object, _ := message.(map[string]any)
			result, _ := object["result"].(map[string]any)
			for member, list := range lists {
				elements, _ := result[member].([]any)
				for _, element := range elements {
					object, _ := element.(map[string]any)
					name, _ := object[list.member].(string)
					if member != "resourceTemplates" && len(listing.scopesFor([]operation{{list.method, name}})) > 0 {
						t.Fatalf("%s %q is still there in %s", member, name, got)
					}
				}
			}
		}
		if again, err := (filter{listing, holds()}).message(got); err != nil || again != got {
			t.Errorf("%v: filtered again %s\nbecomes %s", err, got, again)
		}
	})
}

func BenchmarkFilter(b *testing.B) {
	var names, described []string
	schema := `"inputSchema":{"type":"object","required":["path"],"properties":{` + strings.Repeat(`"path":{"type":"string","description":"The path of the file, relative to the folder of the project","minLength":1},`, 17) + `"depth":{"type":"integer","minimum":0}}}`
	for i := range 500 {
		names = append(names, fmt.Sprintf("tool_%d", i))
		described = append(described, fmt.Sprintf(`{"name":"tool_%d",%s}`, i, schema))
	}
	for name, text := range map[string]string{
		"500 tools":                       tools(names...),
		"500 tools with schemas of 2 KiB": `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + strings.Join(described, ",") + `]}}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := (filter{listing, holds()}).message(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
