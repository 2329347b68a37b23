// Package responsewriter changes the header of a response at the last moment.
package responsewriter

import (
	"io"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Writer calls a hook before each header that is written: those of informational
// responses and the final one. It passes the final header on once. See also
// [Writer.Watch].
type Writer struct {
	caddyhttp.ResponseWriterWrapper // no pointer, which would be allocated for each response

	hook  func(http.Header)
	final bool
	watch *watch // nil for a response that goes on to its end
}

// New returns a writer that calls the hook. The hook may run more than once, so it
// must leave a header as it is that it has changed before.
func New(w http.ResponseWriter, hook func(http.Header)) *Writer {
	return &Writer{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, hook: hook}
}

// Apply calls the hook unless the final header was written. It is for a response
// that is written past this writer, such as an error.
func (w *Writer) Apply() {
	if !w.final {
		w.hook(w.Header())
	}
}

// WriteHeader calls the hook and writes the header.
func (w *Writer) WriteHeader(status int) {
	if w.final {
		return
	}
	w.hook(w.Header())
	if w.final = status < 100 || status > 199 || status == http.StatusSwitchingProtocols; w.final {
		w.callBegin(status)
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write implies the status 200.
func (w *Writer) Write(data []byte) (int, error) {
	if w.implyHeader(); w.Aborted() {
		return 0, ErrAborted
	}
	return w.ResponseWriterWrapper.Write(data)
}

// ReadFrom is Write for a reader, which the server can copy without a buffer. A response
// that may be ended is copied piece by piece.
func (w *Writer) ReadFrom(r io.Reader) (int64, error) {
	if w.implyHeader(); w.watch != nil && w.watch.mayEnd {
		return io.Copy(plain{w}, r)
	}
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError implies the status 200.
func (w *Writer) FlushError() error {
	if w.implyHeader(); w.Aborted() {
		return ErrAborted
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *Writer) implyHeader() {
	if !w.final {
		w.WriteHeader(http.StatusOK)
	}
}

// Interface guards
var (
	_ http.ResponseWriter             = (*Writer)(nil)
	_ io.ReaderFrom                   = (*Writer)(nil)
	_ interface{ FlushError() error } = (*Writer)(nil)
)
