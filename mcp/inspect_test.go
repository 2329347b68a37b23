package mcp

import (
	"encoding/json"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func noDeadline(time.Time) error { return nil }

var guarded = &Policy{BodyLimit: 400, Rules: []Rule{
	{Method: "tools/call", Name: "delete_*", Scopes: []string{"delete"}},
	{Method: "resources/read", Name: "file:///secret", Scopes: []string{"secret"}},
	{Method: "tools/list", Scopes: []string{"list"}},
}}

const deleteCall = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_x"}}`

func TestInspect(t *testing.T) {
	call := func(params string) string {
		return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":` + params + `}`
	}
	modern := []string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/call", "Mcp-Name", "delete_x"}
	for name, c := range map[string]struct {
		fields []string
		body   string
		want   string // scopes, or an error
	}{
		"no revision":                     {nil, deleteCall, "delete"},
		"2025-03-26":                      {[]string{"Mcp-Protocol-Version", "2025-03-26"}, deleteCall, "delete"},
		"2025-06-18":                      {[]string{"Mcp-Protocol-Version", "2025-06-18"}, deleteCall, "delete"},
		"2025-11-25":                      {[]string{"Mcp-Protocol-Version", "2025-11-25"}, deleteCall, "delete"},
		"2026-07-28":                      {modern, deleteCall, "delete"},
		"a revision in the body":          {modern, call(`{"name":"delete_x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`), "delete"},
		"another tool":                    {nil, call(`{"name":"read","arguments":{"name":"delete_x","Name":1}}`), ""},
		"a name in escapes":               {nil, call(`{"n\u0061me":"d\u0065lete_x"}`), "delete"},
		"a resource":                      {nil, `{"jsonrpc":"2.0","id":"a","method":"resources/read","params":{"uri":"file:///secret"}}`, "secret"},
		"a method without params":         {nil, ` {"jsonrpc":"2.0","id":1,"method":"tools/list"} `, "list"},
		"a notification":                  {nil, `{"jsonrpc":"2.0","method":"tools/list","params":{}}`, "list"},
		"a response":                      {nil, `{"jsonrpc":"2.0","id":1,"result":{"method":"tools/list"}}`, ""},
		"an error":                        {nil, `{"jsonrpc":"2.0","id":null,"error":{}}`, ""},
		"a batch":                         {nil, "[" + call(`{"name":"read"}`) + "," + deleteCall + `,{"jsonrpc":"2.0","id":1,"method":"tools/list"}]`, "delete list"},
		"a charset":                       {[]string{"Content-Type", "application/json; charset=UTF-8"}, deleteCall, "delete"},
		"a batch of a later revision":     {[]string{"Mcp-Protocol-Version", "2025-06-18"}, "[" + deleteCall + "]", errBatch.Error()},
		"a batch of 2026-07-28":           {modern, "[" + deleteCall + "]", errBatch.Error()},
		"an empty batch":                  {nil, "[]", errBatch.Error()},
		"a batch in a batch":              {nil, "[[" + deleteCall + "]]", errMessage.Error()},
		"a batch with fields":             {[]string{"Mcp-Method", "tools/call"}, "[" + deleteCall + "]", ErrMismatch.Error()},
		"many messages":                   {nil, "[" + strings.Repeat("1,", maxBatch) + "1]", errBatch.Error()},
		"an unknown revision":             {[]string{"Mcp-Protocol-Version", "2027-01-01"}, deleteCall, "unsupported"},
		"an old revision":                 {[]string{"Mcp-Protocol-Version", "2024-11-05"}, deleteCall, "unsupported"},
		"another method in the field":     {[]string{"Mcp-Protocol-Version", "2026-07-28", "Mcp-Method", "tools/list"}, deleteCall, ErrMismatch.Error()},
		"another name in the field":       {append(slices.Clone(modern[:5]), "read"), deleteCall, ErrMismatch.Error()},
		"no name in the field":            {modern[:4], deleteCall, ErrMismatch.Error()},
		"no method in the field":          {modern[:2], deleteCall, ErrMismatch.Error()},
		"a field of an older revision":    {[]string{"Mcp-Method", "tools/list"}, deleteCall, ErrMismatch.Error()},
		"a response with a method":        {modern, `{"jsonrpc":"2.0","id":1,"result":{}}`, ErrMismatch.Error()},
		"another revision in the body":    {modern, call(`{"name":"delete_x","_meta":{"io.modelcontextprotocol/protocolVersion":"2025-06-18"}}`), ErrMismatch.Error()},
		"a revision in the body alone":    {nil, call(`{"name":"delete_x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}`), ErrMismatch.Error()},
		"a member twice":                  {nil, `{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"tools/list"}`, ErrNotJSON.Error()},
		"a member twice in escapes":       {nil, call(`{"name":"read","n\u0061me":"delete_x"}`), ErrNotJSON.Error()},
		"an argument twice":               {nil, call(`{"name":"read","arguments":{"a":1,"a":2}}`), ErrNotJSON.Error()},
		"a member in another case":        {nil, `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call"}`, errMessage.Error()},
		"a name in another case":          {nil, call(`{"name":"read","NAME":"delete_x"}`), errMessage.Error()},
		"a long s in params":              {nil, `{"jsonrpc":"2.0","id":1,"method":"tools/list","param\u017f":{"name":"delete_x"}}`, errMessage.Error()},
		"a byte order mark":               {nil, "\ufeff" + deleteCall, ErrNotJSON.Error()},
		"half a message":                  {nil, deleteCall[:30], ErrNotJSON.Error()},
		"no body":                         {nil, "", ErrNotJSON.Error()},
		"Latin-1":                         {nil, "{\"jsonrpc\":\"2.0\",\"id\":\"\xe9\",\"method\":\"x\"}", ErrNotJSON.Error()},
		"text after the message":          {nil, deleteCall + "{}", ErrNotJSON.Error()},
		"a method and a result":           {nil, `{"jsonrpc":"2.0","id":1,"method":"tools/list","result":{}}`, errMessage.Error()},
		"neither":                         {nil, `{"jsonrpc":"2.0","id":1}`, errMessage.Error()},
		"another version":                 {nil, `{"jsonrpc":"1.0","id":1,"method":"tools/list"}`, errMessage.Error()},
		"an id that is an object":         {nil, `{"jsonrpc":"2.0","id":{},"method":"tools/list"}`, errMessage.Error()},
		"an id that is a list":            {nil, `{"jsonrpc":"2.0","id":[1],"method":"tools/list"}`, errMessage.Error()},
		"an id that is true":              {nil, `{"jsonrpc":"2.0","id":true,"method":"tools/list"}`, errMessage.Error()},
		"an id that is a fraction":        {nil, `{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}`, "list"},
		"an id out of range":              {nil, `{"jsonrpc":"2.0","id":1e999,"method":"tools/list"}`, ErrNotJSON.Error()},
		"an id that is null":              {nil, `{"jsonrpc":"2.0","id":null,"method":"tools/list"}`, errMessage.Error()},
		"params in a list":                {nil, `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["delete_x"]}`, errMessage.Error()},
		"no name":                         {nil, call(`{}`), errNoName.Error()},
		"a name that is a number":         {nil, call(`{"name":1}`), errNoName.Error()},
		"NUL in a name":                   {nil, call(`{"name":"read\u0000"}`), errText.Error()},
		"another normal form":             {nil, call(`{"name":"e\u0301"}`), errText.Error()},
		"mixed normal forms":              {nil, call("{\"name\":\"\u00e9e\u0301\"}"), errText.Error()},
		"a number":                        {nil, "1", errMessage.Error()},
		"too large":                       {nil, call(`{"name":"` + strings.Repeat("x", 400) + `"}`), ErrBodyTooLarge.Error()},
		"UTF-16":                          {[]string{"Content-Type", "application/json; charset=utf-16"}, deleteCall, errMedia.Error()},
		"no media type":                   {[]string{"Content-Type", ""}, deleteCall, errMedia.Error()},
		"a form":                          {[]string{"Content-Type", "application/x-www-form-urlencoded"}, deleteCall, errMedia.Error()},
		"gzip":                            {[]string{"Content-Encoding", "gzip"}, deleteCall, errMedia.Error()},
		"two media types":                 {[]string{"Content-Type", "application/json", "Content-Type", "text/plain"}, deleteCall, errMedia.Error()},
		"a coding in another spelling":    {[]string{"Content_Encoding", "gzip"}, deleteCall, "invalid spelling"},
		"a WebSocket":                     {[]string{"Upgrade", "websocket"}, deleteCall, errTunnel.Error()},
		"a field that Connection removes": {[]string{"Connection", "mcp-method"}, deleteCall, "Connection"},
		"a field twice":                   {[]string{"Mcp-Method", "tools/call", "Mcp-Method", "tools/call"}, deleteCall, "2 times"},
		"a name in Base64":                {[]string{"Mcp-Name", "=?base64?ZGVsZXRlX3g=?=", "Mcp-Method", "tools/call"}, deleteCall, "delete"},
		"another name in Base64":          {[]string{"Mcp-Name", "=?base64?cmVhZA==?=", "Mcp-Method", "tools/call"}, deleteCall, ErrMismatch.Error()},
		"a name of an older revision":     {[]string{"Mcp-Name", "read"}, deleteCall, ErrMismatch.Error()},
	} {
		t.Run("MCP-11: "+name, func(t *testing.T) {
			r := request("POST", c.fields...)
			if !slices.Contains(c.fields, "Content-Type") {
				r.Header.Set("Content-Type", "application/json")
			}
			r.Body = io.NopCloser(strings.NewReader(c.body))
			scopes, _, err := guarded.Inspect(r, noDeadline)
			got := strings.Join(scopes, " ")
			if err != nil {
				got = err.Error()
			}
			if got != c.want && (err == nil || c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if body, readErr := io.ReadAll(r.Body); string(body) != c.body || readErr != nil {
				t.Errorf("the upstream gets %q, %v", body, readErr)
			}
		})
	}
}

func TestInspectBoundsTime(t *testing.T) {
	t.Run("COST-1: a body without a bound on its time is refused", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(deleteCall))
		r.Header.Set("Content-Type", "application/json")
		if _, _, err := guarded.Inspect(r, func(time.Time) error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("COST-1: the bound ends with the body", func(t *testing.T) {
		r := httptest.NewRequest("POST", "/", strings.NewReader(deleteCall))
		r.Header.Set("Content-Type", "application/json")
		var set []bool
		if _, _, err := guarded.Inspect(r, func(at time.Time) error { set = append(set, at.IsZero()); return nil }); err != nil || !slices.Equal(set, []bool{false, true}) {
			t.Errorf("%v %v", set, err)
		}
	})
}

// trickle is a body whose parts come ten seconds apart, until the deadline.
type trickle struct{ deadline time.Time }

func (b *trickle) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Second)
	if !b.deadline.IsZero() && !time.Now().Before(b.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	p[0] = ' '
	return 1, nil
}

func TestInspectSlowBody(t *testing.T) {
	t.Run("COST-1: a body in pieces ends after 30 seconds, however many come", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			body := new(trickle)
			r := request("POST", "Content-Type", "application/json")
			r.Body, r.ContentLength = io.NopCloser(body), -1
			began := time.Now()
			_, _, err := guarded.Inspect(r, func(at time.Time) error { body.deadline = at; return nil })
			if elapsed := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || elapsed != bodyTime {
				t.Errorf("%v after %s", err, elapsed)
			}
		})
	})
}

func TestInspectLargeBatch(t *testing.T) {
	t.Run("COST-1: a batch of 10,000 calls is refused", func(t *testing.T) {
		policy := &Policy{BodyLimit: 1 << 20, Rules: guarded.Rules}
		r := request("POST", "Content-Type", "application/json")
		r.Body = io.NopCloser(strings.NewReader("[" + strings.Repeat(deleteCall+",", 9999) + deleteCall + "]"))
		if scopes, _, err := policy.Inspect(r, noDeadline); !errors.Is(err, errBatch) || scopes != nil {
			t.Errorf("%q %v", scopes, err)
		}
	})
}

func TestID(t *testing.T) {
	for body, want := range map[string]any{
		`{"id":7}`: int64(7), `{"id":"a"}`: "a", `{"id":{}}`: nil, `{"id":1.5}`: nil, `{"id":1,"id":2}`: nil, `[{"id":1}]`: nil, ``: nil, `{"id":1`: nil,
		`{"id":1,"x":"` + strings.Repeat("x", idLimit) + `"}`: nil,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		if got := ID(r, noDeadline); got != want {
			t.Errorf("%.20s: %v", body, got)
		}
	}
}

// reader is a message as a server with encoding/json reads it: names in any case,
// and of repeated members the last one.
type reader struct {
	Method string
	Params struct{ Name, URI string }
}

// FuzzInspect compares with such servers: what the gate accepts they read alike.
func FuzzInspect(f *testing.F) {
	f.Add(deleteCall, "2026-07-28", "tools/call", "delete_x")
	f.Add("["+deleteCall+`,{"jsonrpc":"2.0","method":"tools/list"}]`, "", "", "")
	f.Add(`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","_meta":{"io.modelcontextprotocol/protocolVersion":"2025-06-18"}}}`, "2025-06-18", "", "")
	f.Fuzz(func(t *testing.T, body, revision, method, name string) {
		if !slices.Contains(revisions, revision) {
			revision = revisions[0]
		}
		fields := operation{method, name}
		operations, err := readOperations(body, revision, true, fields)
		if err != nil {
			return
		}
		all := make([]reader, 1)
		if text := strings.TrimSpace(body); text[0] == '[' {
			if revision != revisions[0] {
				t.Fatalf("%s has a batch", revision)
			}
			err = json.Unmarshal([]byte(body), &all)
		} else {
			err = json.Unmarshal([]byte(body), &all[0])
		}
		if err != nil && !errors.As(err, new(*json.UnmarshalTypeError)) {
			t.Fatalf("accepted, and a server cannot read it: %v", err)
		}
		var read []operation
		for _, one := range all {
			if one.Method == "" {
				continue
			}
			got := operation{method: one.Method}
			switch nameMembers[one.Method] {
			case "name":
				got.name = one.Params.Name
			case "uri":
				got.name = one.Params.URI
			}
			read = append(read, got)
		}
		if !slices.Equal(operations, read) {
			t.Errorf("the gate reads %v, a server %v", operations, read)
		}
		if revision == validatedSince && len(operations) == 1 && (fields.method != operations[0].method || operations[0].name != "" && fields.name != operations[0].name) {
			t.Errorf("fields %v, body %v", fields, operations)
		}
	})
}

func BenchmarkInspect(b *testing.B) {
	policy := &Policy{BodyLimit: 1 << 20, Rules: guarded.Rules}
	body := `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_x","arguments":{"lines":["` + strings.Repeat(`some text of a line","`, 380) + `"]}}}`
	b.SetBytes(int64(len(body)))
	r := request("POST", "Content-Type", "application/json")
	r.ContentLength = int64(len(body))
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		if _, _, err := policy.Inspect(r, noDeadline); err != nil {
			b.Fatal(err)
		}
	}
}
