package openapi

import (
	"bytes"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// capture holds an answer back if it can be a document. Any other goes to the
// client as it is written.
type capture struct {
	*caddyhttp.ResponseWriterWrapper
	limit  uint64
	body   bytes.Buffer
	status int
	passed bool
}

func newCapture(w http.ResponseWriter, limit uint64) *capture {
	return &capture{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, limit: limit}
}

// holds reports whether a whole answer was held back.
func (c *capture) holds() bool { return c.status != 0 && !c.passed }

// WriteHeader decides whether an answer is held back.
func (c *capture) WriteHeader(status int) {
	if status < http.StatusOK {
		c.ResponseWriter.WriteHeader(status)
		return
	}
	if c.status != 0 {
		return
	}
	c.status = status
	if status != http.StatusOK || !isDocument(c.Header(), c.limit) {
		c.pass()
	}
}

// isDocument reports whether an answer can be a document in plain JSON.
func isDocument(header http.Header, limit uint64) bool {
	encoding := header.Get("Content-Encoding")
	media, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || encoding != "" && !strings.EqualFold(encoding, "identity") {
		return false
	}
	if size, err := strconv.ParseUint(header.Get("Content-Length"), 10, 64); err == nil && size > limit {
		return false
	}
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// pass sends what was held back and holds nothing any more.
func (c *capture) pass() {
	c.passed = true
	c.ResponseWriter.WriteHeader(c.status)
}

// Write holds a part of a document back.
func (c *capture) Write(part []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if !c.passed && uint64(c.body.Len())+uint64(len(part)) <= c.limit {
		return c.body.Write(part)
	}
	if !c.passed {
		c.pass()
		if _, err := c.body.WriteTo(c.ResponseWriter); err != nil {
			return 0, err
		}
	}
	return c.ResponseWriter.Write(part)
}

// ReadFrom is Write for a reader: without it the wrapper's own would go past
// Write.
func (c *capture) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

// FlushError does nothing while an answer is held back.
func (c *capture) FlushError() error {
	if !c.passed {
		return nil
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// describing are the fields that say something about the bytes of a document.
var describing = []string{
	"Accept-Ranges", "Content-Digest", "Content-MD5", "Digest", "ETag", "Last-Modified", "Repr-Digest",
}

// replace puts another document in the place of the one held back.
func (c *capture) replace(document []byte) {
	c.body.Reset()
	c.body.Write(document)
	for _, field := range describing {
		c.Header().Del(field)
	}
	c.Header().Set("ETag", tagOf(document))
}

// serve sends the document in the way that the client asked for it.
func (c *capture) serve(r *http.Request) {
	c.Header().Del("Content-Length")
	c.Header().Del("Content-Encoding")
	http.ServeContent(c.ResponseWriter, r, "", time.Time{}, bytes.NewReader(c.body.Bytes()))
}

// Interface guards
var (
	_ http.ResponseWriter = (*capture)(nil)
	_ io.ReaderFrom       = (*capture)(nil)
)
