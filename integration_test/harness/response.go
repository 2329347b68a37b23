package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Response is an answer, read to its end.
type Response struct {
	t      testing.TB
	Status int
	Header http.Header
	Body   string
}

// Challenges returns the values of WWW-Authenticate, one for each field line.
func (r *Response) Challenges() []string { return r.Header["Www-Authenticate"] }

// Problem is the JSON body of a denial.
type Problem struct {
	Type           string   `json:"type"`
	Title          string   `json:"title"`
	Status         int      `json:"status"`
	Detail         string   `json:"detail"`
	Code           string   `json:"code"`
	RequiredScopes []string `json:"required_scopes"`
	RequiredRoles  []string `json:"required_roles"`
	TraceID        string   `json:"trace_id"`

	Supported []string `json:"supported"`
	Requested string   `json:"requested"`
}

// Problem decodes the body and refuses members that are not known.
func (r *Response) Problem() Problem {
	r.t.Helper()
	body := r.Body
	var rpc struct {
		Error struct{ Data json.RawMessage }
	} // of an MCP request
	if json.Unmarshal([]byte(body), &rpc) == nil && rpc.Error.Data != nil {
		body = string(rpc.Error.Data)
	}
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	var problem Problem
	if err := decoder.Decode(&problem); err != nil {
		r.t.Fatalf("the body is no problem document: %v\n%s", err, r.Body)
	}
	return problem
}

// Want fails the test unless the status, the challenges and the code are as given.
// There is one challenge for each field line, in order. An empty code is not compared.
func (r *Response) Want(status int, code string, challenges ...string) *Response {
	r.t.Helper()
	if r.Status != status {
		r.t.Errorf("status %d, want %d\n%s", r.Status, status, r.Body)
	}
	if got, want := fmt.Sprintf("%q", r.Challenges()), fmt.Sprintf("%q", challenges); got != want {
		r.t.Errorf("challenges\n got %s\nwant %s", got, want)
	}
	if code != "" {
		if got := r.Problem().Code; got != code {
			r.t.Errorf("code %q, want %q", got, code)
		}
	}
	return r
}
