package mcp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// maxAnswer bounds an answer in JSON, and an event of a stream, that is filtered.
const maxAnswer = 8 << 20

// maxGrown is how much room an answer gets before it is there, in bytes.
const maxGrown = 1 << 20

var errAnswerTooLarge = fmt.Errorf("%w: it is over %d bytes", errList, maxAnswer)

// ListWriter filters the lists in an answer.
type ListWriter struct {
	*caddyhttp.ResponseWriterWrapper
	filter filter
	post   bool // a GET has lists in an event stream only

	status   int
	document *bytes.Buffer // an answer in JSON, until [ListWriter.Close]
	events   *eventFilter
	failure  error
}

// FilterLists returns a writer for the answer to a request for a list, or to one that
// resumes an event stream. The caller must close it.
func (p *Policy) FilterLists(w http.ResponseWriter, r *http.Request, holds func(scopes []string) bool) *ListWriter {
	r.Header.Set("Accept-Encoding", "identity")
	return &ListWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		filter:                filter{p, holds}, post: r.Method != http.MethodGet,
	}
}

// WriteHeader decides how an answer is filtered.
func (l *ListWriter) WriteHeader(status int) {
	if status < 200 {
		l.ResponseWriter.WriteHeader(status)
		return
	}
	if l.status != 0 {
		return
	}
	l.status = status
	h := l.Header()
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	coded := h.Get("Content-Encoding") != "" && !strings.EqualFold(h.Get("Content-Encoding"), "identity")
	empty := status == http.StatusAccepted || status == http.StatusNoContent || status == http.StatusNotModified
	switch {
	case err == nil && media == "text/event-stream" && !coded:
		h.Del("Content-Length")
		removeDigests(h)
		l.events = &eventFilter{filter: l.filter}
	case err == nil && media == "application/json" && !coded && l.post:
		l.document = new(bytes.Buffer)
		if size, err := strconv.Atoi(h.Get("Content-Length")); err == nil && size > 0 {
			l.document.Grow(min(size, maxGrown))
		}
		return
	case l.post && !empty && status < 300 || coded && (media == "text/event-stream" || l.post && status < 300):
		l.refuse(errList)
		return
	}
	l.ResponseWriter.WriteHeader(status)
}

// removeDigests removes what the upstream says of a body that the filter changes.
func removeDigests(h http.Header) {
	for _, field := range []string{"Etag", "Content-Digest", "Repr-Digest", "Digest", "Content-Md5", "Signature", "Signature-Input"} {
		h.Del(field)
	}
}

// refuse sends 502 instead of an answer that was not sent yet.
func (l *ListWriter) refuse(err error) {
	l.failure, l.document = err, nil
	h := l.Header()
	h.Del("Content-Length")
	h.Del("Content-Encoding")
	removeDigests(h)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/json")
	l.ResponseWriter.WriteHeader(http.StatusBadGateway)
	_, _ = io.WriteString(l.ResponseWriter, `{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"The list of the upstream cannot be read"}}`+"\n")
}

// Write filters a part of an answer.
func (l *ListWriter) Write(part []byte) (int, error) {
	if l.status == 0 {
		l.WriteHeader(http.StatusOK)
	}
	switch {
	case l.failure != nil:
		return 0, l.failure
	case l.events != nil:
		if err := l.events.write(l.ResponseWriter, part); err != nil {
			l.failure = err
			return 0, err
		}
		return len(part), nil
	case l.document == nil:
		return l.ResponseWriter.Write(part)
	case l.document.Len()+len(part) > maxAnswer:
		l.refuse(errAnswerTooLarge)
		return 0, l.failure
	}
	return l.document.Write(part)
}

// ReadFrom is Write for a reader.
func (l *ListWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{l}, r)
}

// FlushError sends the filtered part of the answer.
func (l *ListWriter) FlushError() error {
	if l.status == 0 || l.document != nil {
		return nil
	}
	return http.NewResponseController(l.ResponseWriter).Flush()
}

// Close sends an answer in JSON, and returns why an answer was refused.
func (l *ListWriter) Close() error {
	if l.document == nil {
		return l.failure
	}
	filtered := ""
	var err error
	if l.document.Len() > 0 {
		filtered, err = l.filter.message(l.document.String())
	}
	if err != nil {
		l.refuse(errors.Join(errList, err))
		return l.failure
	}
	l.Header().Set("Content-Length", strconv.Itoa(len(filtered)))
	removeDigests(l.Header())
	l.ResponseWriter.WriteHeader(l.status)
	_, err = io.WriteString(l.ResponseWriter, filtered)
	return err
}

// eventFilter filters the events of a stream when they are complete.
type eventFilter struct {
	filter  filter
	line    []byte
	lines   []string // of the current event
	size    int
	started bool
	cr      bool // the last byte ended a line, and a following line feed belongs to it
}

func (e *eventFilter) write(w io.Writer, part []byte) error {
	for len(part) > 0 {
		if e.cr {
			e.cr = false
			if part[0] == '\n' {
				part = part[1:]
				continue
			}
		}
		end := bytes.IndexAny(part, "\r\n")
		if end < 0 {
			end = len(part)
		}
		if e.size += end + 1; e.size > maxAnswer {
			return errAnswerTooLarge
		}
		e.line = append(e.line, part[:end]...)
		if end == len(part) {
			return nil
		}
		e.cr = part[end] == '\r'
		part = part[end+1:]
		if err := e.endLine(w); err != nil {
			return err
		}
	}
	return nil
}

func (e *eventFilter) endLine(w io.Writer) error {
	line := string(e.line)
	e.line = e.line[:0]
	if !e.started {
		line = strings.TrimPrefix(line, "\ufeff")
		e.started = true
	}
	if line != "" {
		e.lines = append(e.lines, line)
		return nil
	}
	text, err := e.event()
	e.lines, e.size = e.lines[:0], 0
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// event returns the complete event, filtered.
func (e *eventFilter) event() (string, error) {
	var b strings.Builder
	var data []string
	for _, line := range e.lines {
		name, value, _ := strings.Cut(line, ":")
		if name == "data" {
			data = append(data, strings.TrimPrefix(value, " "))
			continue
		}
		b.WriteString(line + "\n")
	}
	message := strings.Join(data, "\n")
	if message != "" {
		var err error
		if message, err = e.filter.message(message); err != nil {
			return "", errors.Join(errList, err)
		}
	}
	if data != nil {
		b.WriteString("data: " + strings.ReplaceAll(message, "\n", "\ndata: ") + "\n")
	}
	b.WriteString("\n")
	return b.String(), nil
}

// Interface guards
var (
	_ http.ResponseWriter = (*ListWriter)(nil)
	_ io.ReaderFrom       = (*ListWriter)(nil)
)
