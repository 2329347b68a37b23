package denial

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Format is a configured format of the body.
type Format string

// The formats. The zero value is FormatAuto.
const (
	FormatAuto    Format = "auto"    // by the Accept field of the request
	FormatProblem Format = "problem" // RFC 9457
	FormatJSON    Format = "json"    // the same members as application/json
	FormatHTML    Format = "html"    // a small page
	FormatText    Format = "text"    // one line
)

// Check reports an unknown format.
func (f Format) Check() error {
	if f == "" || f == FormatAuto {
		return nil
	}
	if _, known := writers[f]; !known {
		return fmt.Errorf("unknown format %q: write auto, problem, json, html or text", f)
	}
	return nil
}

// writer returns what writes the body. A request that accepts none of the
// formats gets a problem document all the same (RFC 9110 §12.5.1).
func (f Format) writer(r *http.Request) writer {
	if f == "" || f == FormatAuto {
		f = negotiate(r.Header["Accept"])
	}
	if chosen, known := writers[f]; known {
		return chosen
	}
	return writers[FormatProblem]
}

type writer struct {
	contentType string
	policy      string // Content-Security-Policy
	body        func(Denial) ([]byte, error)
}

var writers = map[Format]writer{
	FormatProblem: {contentType: "application/problem+json", body: document},
	FormatJSON:    {contentType: "application/json", body: document},
	FormatText:    {contentType: "text/plain; charset=utf-8", body: line},
	FormatHTML: {
		contentType: "text/html; charset=utf-8",
		policy:      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		body:        page,
	},
}

// document is the body of RFC 9457. `about:blank` says that the title is the
// phrase of the status (§4.2.1).
func document(d Denial) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		Type           string   `json:"type"`
		Title          string   `json:"title"`
		Status         int      `json:"status"`
		Detail         string   `json:"detail"`
		Code           Code     `json:"code"`
		RequiredScopes []string `json:"required_scopes,omitempty"`
		RequiredRoles  []string `json:"required_roles,omitempty"`
		TraceID        string   `json:"trace_id"`
	}{
		"about:blank", http.StatusText(d.Status()), d.Status(), d.Code.Detail(),
		d.Code, d.RequiredScopes, d.RequiredRoles, d.TraceID,
	})
	return b.Bytes(), err
}

// line is the body for people at a terminal.
func line(d Denial) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d %s: %s", d.Status(), http.StatusText(d.Status()), d.Code.Detail())
	for _, required := range d.required() {
		fmt.Fprintf(&b, "; required %s: %s", required.Kind, strings.Join(required.Names, " "))
	}
	fmt.Fprintf(&b, " (trace id %s)\n", d.TraceID)
	return b.Bytes(), nil
}

// requirement is what people are told to ask their administrator for.
type requirement struct {
	Kind  string
	Names []string
}

func (d Denial) required() []requirement {
	all := []requirement{{"scopes", d.RequiredScopes}, {"roles", d.RequiredRoles}}
	return slices.DeleteFunc(all, func(r requirement) bool { return len(r.Names) == 0 })
}
