package mcp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
)

// withoutOperation are the HTTP methods that read and end sessions of older revisions.
// They request no operation.
var withoutOperation = []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions}

// overrides are the fields, folded, that some servers read as the method of the
// request.
var overrides = []string{"x-http-method-override", "x-http-method", "x-method-override"}

var errTunnel = errors.New("the request switches the protocol, and then operations have no fields")

// IsBodiless reports whether a request must pass without its body. Its method requests
// no operation, but a server could find one in the body.
func (p *Policy) IsBodiless(r *http.Request) bool {
	return p.restricts() && slices.Contains(withoutOperation, r.Method)
}

// restricts reports whether operations have rules, or bodies are read.
func (p *Policy) restricts() bool { return p != nil && (len(p.Rules) > 0 || p.BodyLimit > 0) }

// checkCarrier refuses a request that could hide operations from the rules.
func checkCarrier(r *http.Request) error {
	if _, upgrade := r.Header["Upgrade"]; upgrade || r.Method == http.MethodConnect {
		return errTunnel // CONNECT opens a WebSocket in HTTP/2 and HTTP/3, RFC 8441 §4
	}
	if !slices.Contains(withoutOperation, r.Method) {
		return nil
	}
	for name := range r.Header {
		if slices.Contains(overrides, fieldname.Fold(name)) {
			return fmt.Errorf("%s could turn the request into an operation", name)
		}
	}
	return nil
}
