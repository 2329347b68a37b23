package denial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
)

// Format is a configured format of the body.
type Format string

// The formats. The zero value is FormatAuto.
const (
	FormatAuto    Format = "auto"    // by the Accept field of the request
	FormatProblem Format = "problem" // RFC 9457
	FormatJSON    Format = "json"    // the same members as application/json
	FormatHTML    Format = "html"    // a small page, in the language of the reader
	FormatText    Format = "text"    // one line
)

// Check refuses an unknown format.
func (f Format) Check() error {
	if f.negotiated() {
		return nil
	}
	if _, found := writers[f]; !found {
		return fmt.Errorf("unknown format %q: write auto, problem, json, html or text", f)
	}
	return nil
}

// forRequest returns the format for a request. A client that accepts no format gets a problem
// document all the same (RFC 9110 §12.5.1).
func (f Format) forRequest(r *http.Request) Format {
	if f.negotiated() {
		return negotiate(r.Header["Accept"])
	}
	if _, found := writers[f]; !found {
		return FormatProblem
	}
	return f
}

// negotiated reports whether the format depends on the request.
func (f Format) negotiated() bool { return f == "" || f == FormatAuto }

// writer writes a body. It may set the header fields that describe the body.
type writer struct {
	contentType string
	body        func(Denial, *http.Request, http.Header) ([]byte, error)
}

var writers = map[Format]writer{
	FormatProblem: {"application/problem+json", document},
	FormatJSON:    {"application/json", document},
	FormatText:    {"text/plain; charset=utf-8", line},
	FormatHTML:    {"text/html; charset=utf-8", writePage},
}

// document is the body of RFC 9457. `about:blank` means that the title is the phrase of
// the status (§4.2.1).
func document(d Denial, _ *http.Request, _ http.Header) ([]byte, error) {
	return encodeJSON(d.problem())
}

func encodeJSON(value any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return b.Bytes(), err
}

// problem is a denial in the members of RFC 9457.
type problem struct {
	Type           string     `json:"type"`
	Title          string     `json:"title"`
	Status         int        `json:"status"`
	Detail         string     `json:"detail"`
	Code           authn.Code `json:"code"`
	RequiredScopes []string   `json:"required_scopes,omitempty"`
	RequiredRoles  []string   `json:"required_roles,omitempty"`
	TraceID        string     `json:"trace_id"`
}

func (d Denial) problem() problem {
	return problem{
		"about:blank", http.StatusText(d.Status()), d.Status(), d.Detail(),
		d.Code, d.RequiredScopes, d.RequiredRoles, d.TraceID,
	}
}

// line is the body for people at a terminal.
func line(d Denial, _ *http.Request, _ http.Header) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s: %s", d.Status(), http.StatusText(d.Status()), d.Detail())
	for _, required := range d.requirements() {
		fmt.Fprintf(&b, "; required %s: %s", required.Kind, strings.Join(required.Names, " "))
	}
	fmt.Fprintf(&b, " (trace id %s)\n", d.TraceID)
	return b.Bytes(), nil
}

// requirement is what a user can ask an administrator for.
type requirement struct {
	Kind  string
	Names []string
}

func (d Denial) requirements() []requirement {
	all := []requirement{{"scopes", d.RequiredScopes}, {"roles", d.RequiredRoles}}
	return slices.DeleteFunc(all, func(r requirement) bool { return len(r.Names) == 0 })
}
