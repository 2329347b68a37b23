package denial

import "net/http"

// RPC is the JSON-RPC 2.0 error around the denial of an MCP request.
type RPC struct {
	// ID is that of the request. It is nil if it cannot be read.
	ID any
	// Code is the error code.
	Code int
	// Supported and Requested are revisions, for an unsupported one.
	Supported []string
	Requested string
}

// rpcError is the body of a JSON-RPC error. Its data is the problem.
func rpcError(d Denial, _ *http.Request, _ http.Header) ([]byte, error) {
	type data struct {
		problem
		Supported []string `json:"supported,omitempty"`
		Requested string   `json:"requested,omitempty"`
	}
	type failure struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Data    data   `json:"data"`
	}
	return encodeJSON(struct {
		Version string  `json:"jsonrpc"`
		ID      any     `json:"id"`
		Error   failure `json:"error"`
	}{"2.0", d.RPC.ID, failure{d.RPC.Code, d.Detail(), data{d.problem(), d.RPC.Supported, d.RPC.Requested}}})
}
