package facade

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// readQuery reads the query of a request, see [parse].
func readQuery(r *http.Request, size int) (url.Values, error) {
	if len(r.URL.RawQuery) > size {
		return nil, errors.New("the query is too long")
	}
	return parse(r.URL.RawQuery)
}

// parse reads parameters. Each may appear once (RFC 6749 §3.1).
func parse(text string) (url.Values, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, errors.New("invalid parameters")
	}
	for name, all := range values {
		if len(all) > 1 {
			return nil, fmt.Errorf("the parameter %.64q is repeated", name)
		}
	}
	return values, nil
}

// maxForm bounds a form with a code or a refresh token, in bytes.
const maxForm = 32 << 10

// readForm reads a form in a body. Parameters in the URL would get into logs.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") || r.URL.RawQuery != "" {
		return nil, errors.New("the parameters must be a form in the body")
	}
	text, err := readBody(w, r, maxForm)
	if err != nil {
		return nil, err
	}
	return parse(string(text))
}

// readBody reads a body up to a size, within the time of a body.
func readBody(w http.ResponseWriter, r *http.Request, size int64) ([]byte, error) {
	// Some writers of tests support no deadline.
	_ = http.NewResponseController(w).SetReadDeadline(now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, size))
	if err != nil {
		return nil, errors.New("the body is too large or incomplete")
	}
	_ = http.NewResponseController(w).SetReadDeadline(noDeadline)
	return body, nil
}
