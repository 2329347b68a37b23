package responsewriter

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// ErrAborted is the error of what follows [Writer.Abort].
var ErrAborted = errors.New("the response was ended before its time")

// watch is what a writer needs to end its response from another goroutine.
type watch struct {
	begin  func(status int, header http.Header) (mayEnd bool)
	over   func()
	mayEnd bool // the result of begin

	aborted atomic.Bool
	mutex   sync.Mutex // for the fields below
	done    bool       // the server may use the connection for another request
	conn    net.Conn   // hijacked
}

// Watch prepares the writer for [Writer.Abort]. It calls begin once before the final
// header, or with status 101 when a handler takes over the connection. A response for
// which begin reports false must not be ended. It calls over when the response is over,
// maybe twice. Each call of Watch needs [Writer.Finish].
func (w *Writer) Watch(begin func(status int, header http.Header) (mayEnd bool), over func()) {
	w.watch = &watch{begin: begin, over: over}
}

// Aborted reports whether the response was ended.
func (w *Writer) Aborted() bool { return w.watch != nil && w.watch.aborted.Load() }

// Abort ends the response: further writes fail, and a hijacked connection is closed.
// Blocked operations of the connection are interrupted. It may be called again, because
// an inner writer may have changed its deadline.
func (w *Writer) Abort() {
	w.watch.mutex.Lock()
	defer w.watch.mutex.Unlock()
	if w.watch.done {
		return
	}
	w.watch.aborted.Store(true)
	past := time.Unix(1, 0)
	if w.watch.conn != nil {
		_ = w.watch.conn.SetDeadline(past)
		go func(conn net.Conn) { _ = conn.Close() }(w.watch.conn) // without the lock, because it may wait for the client
		return
	}
	// A writer in between may set the deadline without a lock, so the server's own is
	// used.
	server := w.ResponseWriter
	for {
		wrapper, wraps := server.(interface{ Unwrap() http.ResponseWriter })
		if !wraps {
			break
		}
		server = wrapper.Unwrap()
	}
	control := http.NewResponseController(server)
	_ = control.SetWriteDeadline(past) // without support, writes fail all the same
	_ = control.SetReadDeadline(past)
}

// Finish is called when the handler has returned. A hijacked connection continues until
// it is closed. Finish reports whether the response was ended and must not look
// complete.
func (w *Writer) Finish() (broken bool) {
	w.watch.mutex.Lock()
	defer w.watch.mutex.Unlock()
	if w.watch.conn != nil {
		return false
	}
	w.watch.done = true
	w.watch.over()
	return w.Aborted()
}

// Hijack takes over the connection.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil || w.watch == nil {
		return conn, buffered, err
	}
	w.callBegin(http.StatusSwitchingProtocols)
	w.watch.mutex.Lock()
	defer w.watch.mutex.Unlock()
	if w.watch.aborted.Load() {
		_ = conn.Close()
		return nil, nil, ErrAborted
	}
	w.watch.conn = conn
	return &tunnel{conn, w.watch}, buffered, nil
}

// callBegin calls begin once.
func (w *Writer) callBegin(status int) {
	if w.watch != nil && w.watch.begin != nil {
		begin := w.watch.begin
		w.watch.begin = nil
		w.watch.mayEnd = begin(status, w.Header())
	}
}

// tunnel is a hijacked connection.
type tunnel struct {
	net.Conn
	watch *watch
}

// Close closes the connection and ends the watch.
func (t *tunnel) Close() error {
	t.watch.mutex.Lock()
	t.watch.done = true
	t.watch.mutex.Unlock()
	t.watch.over()
	return t.Conn.Close()
}

// CloseWrite closes one direction, as proxies do where they can.
func (t *tunnel) CloseWrite() error {
	if half, ok := t.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// plain hides the ReadFrom method of a writer.
type plain struct{ io.Writer }
