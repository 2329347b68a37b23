package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// inspectedMCP has a gate that reads bodies, and an optional one, in front of a
// server that answers with the body that it gets.
func inspectedMCP(t *testing.T) *harness.Server {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/list":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, toolList("read", "delete_x"))
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: %s\n\n", toolList("read", "delete_x"))
			_ = http.NewResponseController(w).Flush()
			if r.Method == http.MethodGet {
				<-r.Context().Done()
			}
		case "/endless", "/endless-event", "/large": // until the gate breaks off
			media, size := "application/json", -1
			if r.URL.Path == "/endless-event" {
				media = "text/event-stream"
			}
			if r.URL.Path == "/large" {
				size = 50 << 20
			}
			w.Header().Set("Content-Type", media)
			fmt.Fprint(w, "data: ")
			part := []byte(strings.Repeat(" ", 64<<10))
			for written := 0; size < 0 || written < size; written += len(part) {
				if _, err := w.Write(part); err != nil {
					return
				}
			}
		case "/broken":
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, toolList("delete_x")[:60])
		default:
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.Copy(w, r.Body)
		}
	}))
	t.Cleanup(upstream.Close)
	return harness.Start(t, `{
	auth {
		bearer corp {`+harness.BearerLines+`}
	}
}
http://localhost:8080 {
	require_auth /mcp {
		protected_resource https://mcp.example.com/mcp
		scope read
		mcp {
			tool delete_* mcp:delete
			inspect 1KiB
		}
	}
	require_auth /open {
		optional
		mcp {
			tool delete_* mcp:delete
			inspect 1KiB
		}
	}
	@lists path /list /events /broken /endless /endless-event /large
	require_auth @lists {
		optional
		mcp {
			tool delete_* mcp:delete
			inspect 1KiB
			list filtered
		}
	}
	require_auth /fields {
		mcp {
			tool delete_* mcp:delete
		}
	}
	reverse_proxy `+strings.TrimPrefix(upstream.URL, "http://")+`
}`)
}

const (
	readCall   = `{"jsonrpc":"2.0","id":"a1","method":"tools/call","params":{"name":"read"}}`
	deleteCall = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"delete_x"}}`
)

func TestMCPInspect(t *testing.T) {
	s := inspectedMCP(t)
	token := harness.Bearer(harness.Token(t, harness.Claims{"scope": "read"}))
	wider := harness.Bearer(harness.Token(t, harness.Claims{"scope": "read mcp:delete"}))
	post := func(path, body string, options ...harness.Option) *harness.Response {
		t.Helper()
		return s.Do("POST", s.URL(path), append([]harness.Option{harness.Body("application/json", body)}, options...)...)
	}
	code := func(r *harness.Response) (code int, id any) {
		t.Helper()
		var answer struct {
			JSONRPC string
			ID      any
			Error   struct {
				Code int
				Data struct{ Status int }
			}
		}
		if err := json.Unmarshal([]byte(r.Body), &answer); err != nil || answer.JSONRPC != "2.0" || answer.Error.Data.Status != r.Status || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v: %d %v\n%s", err, r.Status, r.Header, r.Body)
		}
		return answer.Error.Code, answer.ID
	}
	for _, revision := range []string{"", "2025-03-26", "2025-06-18", "2025-11-25"} {
		t.Run("MCP-4: the rule of a tool holds for the revision "+revision, func(t *testing.T) {
			var named []harness.Option
			if revision != "" {
				named = append(named, harness.Header("Mcp-Protocol-Version", revision))
			}
			if got := post("/mcp", readCall, append(named, token)...); got.Status != 200 || got.Body != readCall {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			denied := post("/mcp", deleteCall, append(named, token)...)
			if got, id := code(denied); denied.Status != 403 || got != -32010 || id != 7.0 || denied.Problem().Code != "insufficient_scope" || !strings.Contains(denied.Header.Get("Www-Authenticate"), `scope="read mcp:delete"`) {
				t.Errorf("%d %v\n%s", denied.Status, denied.Header, denied.Body)
			}
			if got := post("/mcp", deleteCall, append(named, wider)...); got.Status != 200 || got.Body != deleteCall {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	t.Run("MCP-4: a batch needs the scopes of all its calls", func(t *testing.T) {
		batch := "[" + readCall + "," + deleteCall + "]"
		if got := post("/mcp", batch, token); got.Status != 403 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		if got := post("/mcp", batch, wider); got.Status != 200 || got.Body != batch {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	for name, c := range map[string]struct {
		body    string
		options []harness.Option
		status  int
		code    int
		id      any
	}{
		"fields that disagree":   {deleteCall, []harness.Option{harness.Header("Mcp-Protocol-Version", "2026-07-28"), harness.Header("Mcp-Method", "tools/call"), harness.Header("Mcp-Name", "read")}, 400, -32020, 7.0},
		"an unsupported version": {deleteCall, []harness.Option{harness.Header("Mcp-Protocol-Version", "2024-11-05")}, 400, -32022, 7.0},
		"half a message":         {deleteCall[:20], nil, 400, -32700, nil},
		"a large body":           {`{"jsonrpc":"2.0","id":1,"method":"` + strings.Repeat("x", 1024) + `"}`, nil, 413, -32600, nil},
		"gzip":                   {deleteCall, []harness.Option{harness.Header("Content-Encoding", "gzip")}, 400, -32600, nil},
	} {
		t.Run("MCP-11: "+name, func(t *testing.T) {
			got := post("/mcp", c.body, append(c.options, wider)...)
			if answer, id := code(got); got.Status != c.status || answer != c.code || id != c.id {
				t.Errorf("%d\n%s", got.Status, got.Body)
			}
		})
	}
	t.Run("MCP-11: a body that ends before its length is refused, and logged", func(t *testing.T) {
		connection := s.Dial()
		fmt.Fprintf(connection, "POST /open HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(readCall), readCall[:30])
		if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, "the log names the end", func() bool { return strings.Contains(s.LogText(), "reading the body: unexpected EOF") })
	})
	t.Run("MCP-11: an unsupported revision names those supported", func(t *testing.T) {
		got := post("/mcp", deleteCall, wider, harness.Header("Mcp-Protocol-Version", "2024-11-05")).Problem()
		if strings.Join(got.Supported, " ") != "2025-03-26 2025-06-18 2025-11-25 2026-07-28" || got.Requested != "2024-11-05" {
			t.Errorf("%+v", got)
		}
		got = post("/fields", deleteCall, wider, harness.Header("Mcp-Protocol-Version", "2025-11-25")).Problem()
		if strings.Join(got.Supported, " ") != "2026-07-28" || got.Requested != "2025-11-25" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("MCP-3: a 401 asks for the scope of the gate and has the id", func(t *testing.T) {
		got := post("/mcp", deleteCall)
		if answer, id := code(got); got.Status != 401 || answer != -32010 || id != 7.0 || !strings.Contains(got.Header.Get("Www-Authenticate"), `scope="read",`) {
			t.Errorf("%d %v\n%s", got.Status, got.Header, got.Body)
		}
	})
	t.Run("MCP-7: an anonymous caller may do what needs no scope", func(t *testing.T) {
		if got := post("/open", readCall); got.Status != 200 || got.Body != readCall {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		for body, want := range map[string]int{deleteCall: 401, "[" + deleteCall + "]": 401, deleteCall[:9]: 400} {
			if got := post("/open", body); got.Status != want {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		}
	})
	t.Run("MCP-7: a client that accepts HTML alone gets no JSON", func(t *testing.T) {
		if got := post("/mcp", deleteCall, harness.Header("Accept", "text/html")); !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%v", got.Header)
		}
	})
}

func toolList(names ...string) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf(`{"name":%q}`, name))
	}
	return `{"jsonrpc":"2.0","id":1,"result":{"tools":[` + strings.Join(all, ",") + `],"nextCursor":"n"}}`
}

func TestMCPLists(t *testing.T) {
	s := inspectedMCP(t)
	list := harness.Body("application/json", `{"jsonrpc":"2.0","id":1,"method":"tools/list"}`)
	token := harness.Bearer(harness.Token(t, harness.Claims{"scope": "read"}))
	wider := harness.Bearer(harness.Token(t, harness.Claims{"scope": "mcp:delete"}))
	event := func(text string) string { return "data: " + text + "\n\n" }
	for name, c := range map[string]struct {
		path    string
		options []harness.Option
		want    string
	}{
		"JSON":                               {"/list", []harness.Option{token}, toolList("read")},
		"JSON for an anonymous caller":       {"/list", nil, toolList("read")},
		"JSON for a caller with the scope":   {"/list", []harness.Option{wider}, toolList("read", "delete_x")},
		"events":                             {"/events", []harness.Option{token}, event(toolList("read"))},
		"events for a caller with the scope": {"/events", []harness.Option{wider}, event(toolList("read", "delete_x"))},
	} {
		t.Run("MCP-4: a list in "+name, func(t *testing.T) {
			if got := s.Do("POST", s.URL(c.path), append(c.options, list)...); got.Status != 200 || got.Body != c.want {
				t.Errorf("%d %q", got.Status, got.Body)
			}
		})
	}
	t.Run("MCP-4: a list that cannot be read does not pass", func(t *testing.T) {
		if got := s.Do("POST", s.URL("/broken"), token, list); got.Status != 502 || strings.Contains(got.Body, "delete_x") {
			t.Errorf("%d %q", got.Status, got.Body)
		}
	})
	for path, want := range map[string]int{"/large": 502, "/endless": 502, "/endless-event": 200} {
		t.Run("MCP-4 COST-1: an answer that is too large breaks off, at "+path, func(t *testing.T) {
			before := len(s.LogText())
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Addr()+path, strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
			if err != nil {
				t.Fatal(err)
			}
			request.Host = "localhost:8080"
			request.Header.Set("Content-Type", "application/json")
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			if body, _ := io.ReadAll(answer.Body); answer.StatusCode != want || len(body) > 1<<10 {
				t.Errorf("%d and %d bytes", answer.StatusCode, len(body))
			}
			harness.Eventually(t, "the log names the bound", func() bool { return strings.Contains(s.LogText()[before:], "it is over 8388608 bytes") })
		})
	}
	t.Run("MCP-4: another answer passes unchanged", func(t *testing.T) {
		if got := s.Do("POST", s.URL("/list"), token, harness.Body("application/json", readCall)); got.Body != toolList("read", "delete_x") {
			t.Errorf("%d %q", got.Status, got.Body)
		}
	})
	t.Run("MCP-4: an event of a stream that goes on arrives at once", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr()+"/events", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "localhost:8080"
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if line, err := bufio.NewReader(answer.Body).ReadString('\n'); err != nil || line != "data: "+toolList("read")+"\n" {
			t.Errorf("%v %q", err, line)
		}
	})
}
