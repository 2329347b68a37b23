package mcp

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/excorp/caddy-require-auth/internal/fieldname"
)

// withoutOperation are the HTTP methods by which sessions of older revisions are
// read and ended, and which ask for nothing of a server.
var withoutOperation = []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions}

// overrides are the fields by which some servers take another method for that
// of the request, folded.
var overrides = []string{"x-http-method-override", "x-http-method", "x-method-override"}

var errTunnel = errors.New("the connection would go on in another protocol, where operations have no fields")

// IsBodiless reports whether a request has to go on without its body, in which a
// server could find an operation although the method asks for none.
func (p *Policy) IsBodiless(r *http.Request) bool {
	return p.restricts() && slices.Contains(withoutOperation, r.Method)
}

// restricts reports whether operations have rules, or bodies are read.
func (p *Policy) restricts() bool { return p != nil && (len(p.Rules) > 0 || p.BodyLimit > 0) }

// checkCarrier refuses a request that could carry operations past its fields.
func checkCarrier(r *http.Request) error {
	if _, upgrade := r.Header["Upgrade"]; upgrade || r.Method == http.MethodConnect {
		return errTunnel // CONNECT is how HTTP/2 and HTTP/3 begin a WebSocket, RFC 8441 §4
	}
	if !slices.Contains(withoutOperation, r.Method) {
		return nil
	}
	for name := range r.Header {
		if slices.Contains(overrides, fieldname.Fold(name)) {
			return fmt.Errorf("%s could make an operation of the request", name)
		}
	}
	return nil
}
