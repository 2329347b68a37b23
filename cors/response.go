package cors

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// responseWriter applies an answer at the last moment, over whatever the
// handlers behind, or their upstream, have said about CORS.
type responseWriter struct {
	*caddyhttp.ResponseWriterWrapper
	answer      answer
	request     *http.Request
	wroteHeader bool
}

// applyAnswer applies the answer, unless a public document has fields of its own.
func (w *responseWriter) applyAnswer() {
	if public, _ := caddyhttp.GetVar(w.request.Context(), PublicDocumentVar).(bool); !public {
		w.answer.apply(w.Header())
	}
}

// WriteHeader applies the answer. A 1xx is informational and the header is
// written once more after it, except 101, after which there is none.
func (w *responseWriter) WriteHeader(status int) {
	if w.wroteHeader {
		return
	}
	if status < 100 || status > 199 || status == http.StatusSwitchingProtocols {
		w.wroteHeader = true
	}
	w.applyAnswer()
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write writes the header first where nobody has.
func (w *responseWriter) Write(data []byte) (int, error) {
	w.writeImpliedHeader()
	return w.ResponseWriterWrapper.Write(data)
}

// ReadFrom is Write for a reader, which the server can copy without a buffer.
func (w *responseWriter) ReadFrom(r io.Reader) (int64, error) {
	w.writeImpliedHeader()
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError sends what there is, which begins with the header.
func (w *responseWriter) FlushError() error {
	w.writeImpliedHeader()
	return http.NewResponseController(w.ResponseWriterWrapper).Flush()
}

func (w *responseWriter) writeImpliedHeader() {
	if !w.wroteHeader {
		w.WriteHeader(http.StatusOK)
	}
}

// Interface guards
var (
	_ http.ResponseWriter             = (*responseWriter)(nil)
	_ io.ReaderFrom                   = (*responseWriter)(nil)
	_ interface{ FlushError() error } = (*responseWriter)(nil)
)
