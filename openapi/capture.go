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
// client at once.
type capture struct {
	*caddyhttp.ResponseWriterWrapper
	limit    uint64
	versions *versions
	request  *http.Request
	body     *bytes.Buffer // nil while nothing is held back
	status   int
}

// holds reports whether a whole answer was held back.
func (c *capture) holds() bool { return c.body != nil }

// release lets go of what was held back.
func (c *capture) release() {
	if c.body != nil {
		c.versions.end(c.body)
		c.body = nil
	}
}

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
	if status == http.StatusOK && isDocument(c.Header(), c.limit) {
		c.body = c.versions.begin(c.request.Context())
	}
	if c.body == nil {
		c.ResponseWriter.WriteHeader(status)
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

// Write holds a part of a document back.
func (c *capture) Write(part []byte) (int, error) {
	if c.status == 0 {
		c.WriteHeader(http.StatusOK)
	}
	if c.body == nil {
		return c.ResponseWriter.Write(part)
	}
	if uint64(c.body.Len())+uint64(len(part)) <= c.limit {
		return c.body.Write(part)
	}
	if err := c.pass(); err != nil {
		return 0, err
	}
	return c.ResponseWriter.Write(part)
}

// pass sends the first part of a document that is too large.
func (c *capture) pass() error {
	body := c.body
	c.body = nil
	c.versions.detach()
	defer c.versions.letGo()
	c.ResponseWriter.WriteHeader(c.status)
	_, err := body.WriteTo(c.ResponseWriter)
	return err
}

// ReadFrom is Write for a reader: without it the wrapper's own would go past
// Write.
func (c *capture) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

// FlushError does nothing while an answer is held back.
func (c *capture) FlushError() error {
	if c.body != nil || c.status == 0 {
		return nil
	}
	return http.NewResponseController(c.ResponseWriter).Flush()
}

// describing are the fields that describe the bytes of a document.
var describing = []string{
	"Accept-Ranges", "Content-Digest", "Content-MD5", "Digest", "ETag", "Last-Modified", "Repr-Digest",
}

// serve sends a document in the way that the client asked for it.
func (c *capture) serve(one *version) {
	if one.tag != "" {
		for _, field := range describing {
			c.Header().Del(field)
		}
		c.Header().Set("ETag", one.tag)
	}
	c.Header().Del("Content-Length")
	c.Header().Del("Content-Encoding")
	http.ServeContent(c.ResponseWriter, c.request, "", time.Time{}, bytes.NewReader(one.document))
}

// Interface guards
var (
	_ http.ResponseWriter = (*capture)(nil)
	_ io.ReaderFrom       = (*capture)(nil)
)
