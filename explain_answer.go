package requireauth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// maxRecorded bounds the body of an answer that is explained, in bytes.
const maxRecorded = 64 << 10

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
}

func (w *recorder) Write(data []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, data[:min(len(data), maxRecorded-len(w.body))]...)
	return len(data), nil
}

// fail does what Caddy's server does with an error: the error routes answer, or
// the status alone.
func (w *recorder) fail(server *caddyhttp.Server, r *http.Request, err error) {
	status := http.StatusInternalServerError
	if handlerError, ok := errors.AsType[caddyhttp.HandlerError](err); ok && handlerError.StatusCode != 0 {
		status = handlerError.StatusCode
	}
	if server.Errors != nil && len(server.Errors.Routes) > 0 {
		restoreOriginal(r)
		last := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
			w.WriteHeader(status)
			return nil
		})
		if server.Errors.Routes.Compile(last).ServeHTTP(w, server.Errors.WithError(r, err)) == nil {
			return
		}
	}
	w.WriteHeader(status)
}

func (w *recorder) answer() *Answer {
	w.WriteHeader(http.StatusOK)
	return &Answer{Status: w.status, Header: w.header, Body: string(w.body)}
}

// mask takes credentials out of an explanation. None is put there on purpose,
// but a site may repeat what it was sent, such as in a redirect.
func (e *Explanation) mask(q question) {
	if e.Answer == nil {
		return
	}
	secrets := e.secrets
	for _, field := range []string{"Authorization", "Proxy-Authorization", "Cookie", "Dpop"} {
		for _, value := range q.Header[field] {
			secrets = append(secrets, value)
			secrets = append(secrets, strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(" ;=,", c) })...)
		}
	}
	if q.Token != "" {
		secrets = append(secrets, q.Token)
	}
	if _, query, found := strings.Cut(q.URL, "?"); found {
		secrets = append(secrets, query)
	}
	masked := func(text string) string {
		for _, secret := range secrets {
			if len(secret) >= minSecret {
				text = strings.ReplaceAll(text, secret, "…")
			}
		}
		return text
	}
	e.Answer.Body = masked(e.Answer.Body)
	for _, values := range e.Answer.Header {
		for i := range values {
			values[i] = masked(values[i])
		}
	}
}

// minSecret is the length from which on a part of the request is taken for a
// secret: shorter ones are words such as Bearer.
const minSecret = 8
