package requireauth

import (
	"fmt"
	"regexp"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/internal/denial"
)

// traceHeader is the field that carries a trace id in and out.
const traceHeader = denial.TraceHeader

// requestID is Caddy's own id of a request, which is always there.
const requestID = "http.request.uuid"

// maxTraceID bounds a trace id, in bytes.
const maxTraceID = 128

// traceID returns the id that leads from an answer to the log. It may come
// from the client, so only a value that is harmless wherever it is printed is
// taken.
func (a *App) traceID(replacer *caddy.Replacer) string {
	for _, source := range a.TraceID {
		if id := replacer.ReplaceAll(source, ""); isTraceID(id) {
			return id
		}
	}
	id, _ := replacer.GetString(requestID)
	return id
}

// checkTraceID refuses a source without a placeholder: all requests would have
// the same id.
func checkTraceID(sources []string) error {
	for _, source := range sources {
		if !placeholder.MatchString(source) {
			return fmt.Errorf("trace_id %s: write a placeholder, such as {http.request.header.X-Trace-Id}", source)
		}
	}
	return nil
}

// placeholder finds what Caddy replaces.
var placeholder = regexp.MustCompile(`\{[^{}]+\}`)

func isTraceID(id string) bool {
	if id == "" || len(id) > maxTraceID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '_', c == '.', c == ':', c == '=', c == '/', c == '+', c == '@':
		default:
			return false
		}
	}
	return true
}
