package requireauth

import (
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
