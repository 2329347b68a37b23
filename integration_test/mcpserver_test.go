package integration

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// mcpServer is a server for the revisions 2025-06-18, 2025-11-25 and 2026-07-28 without
// authorization, and returns its address. For the last one it compares fields and body,
// as the specification requires. For the others, and without a revision, it reads the
// body alone, in any HTTP method.
func mcpServer(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "":
			w.WriteHeader(http.StatusInternalServerError)
		case r.Method == http.MethodGet:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, ": nothing yet\n\n")
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			answerMCP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// message is a request of JSON-RPC.
type message struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params struct {
		Name string `json:"name"`
	} `json:"params"`
}

func answerMCP(w http.ResponseWriter, r *http.Request) {
	var request message
	err := json.NewDecoder(r.Body).Decode(&request)
	w.Header().Set("Content-Type", "application/json")
	switch revision := r.Header.Get("Mcp-Protocol-Version"); {
	case err != nil:
		refuseMCP(w, request, -32700, "Parse error")
	case revision == "2026-07-28" && (latin1(r.Header.Get("Mcp-Method")) != request.Method || decoded(latin1(r.Header.Get("Mcp-Name"))) != request.Params.Name):
		refuseMCP(w, request, -32020, "Header mismatch")
	case revision != "2026-07-28" && revision != "2025-11-25" && revision != "2025-06-18" && revision != "":
		refuseMCP(w, request, -32022, "Unsupported protocol version")
	default:
		did := strings.TrimSpace(request.Method + " " + request.Params.Name)
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":%q}]}}`, request.ID, did+" for "+r.Header.Get("X-User"))
	}
}

func refuseMCP(w http.ResponseWriter, request message, code int, text string) {
	w.WriteHeader(http.StatusBadRequest)
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":%d,"message":%q}}`, request.ID, code, text)
}

// latin1 reads a field as Node.js does.
func latin1(value string) string {
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}

func decoded(name string) string {
	encoded, begun := strings.CutPrefix(name, "=?base64?")
	encoded, ended := strings.CutSuffix(encoded, "?=")
	if text, err := base64.StdEncoding.DecodeString(encoded); begun && ended && err == nil {
		return string(text)
	}
	return name
}
