package facade

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// The bounds of a login.
const (
	maxRequest  = 4 << 10  // bytes of the query of a client
	maxAnswered = 16 << 10 // bytes of the query of the provider
	maxState    = 2 << 10
	maxCode     = 4 << 10
)

// login is a request for authorization. It is sealed into the page of the consent, and
// then into the state for the provider.
type login struct {
	ClientID    string
	RedirectURI string
	State       string
	Challenge   string     // of PKCE, S256
	Browser     []byte     // the digest of its cookie
	Passed      url.Values // the parameters that are passed on
}

// grant is sealed into the code for the client.
type grant struct {
	Code        string // of the provider
	ClientID    string
	RedirectURI string
	Challenge   string
}

// openLogin returns a login that was sealed for a step, in the same browser.
func (f *Facade) openLogin(r *http.Request, step purpose, sealed string) (login, error) {
	request, err := open[login](f.sealer, step, sealed)
	if err == nil {
		err = f.checkBrowser(r, request)
	}
	return request, err
}

// loginError is an error that the client gets at its redirect URI.
type loginError struct {
	login
	error
}

// fail returns an error for the client, nil for none.
func (l login) fail(err error) error {
	if err == nil {
		return nil
	}
	return loginError{l, err}
}

// refuseLogin sends an error to the client. One that no client may get is a page for the
// user.
func (f *Facade) refuseLogin(w http.ResponseWriter, r *http.Request, err error) {
	failed, ofClient := errors.AsType[loginError](err)
	if !ofClient {
		f.refuse(w, r, err)
		return
	}
	failure, ok := errors.AsType[*protocolError](failed.error)
	if !ok {
		failure = oauthError("server_error", "")
	}
	f.logRefusal(r, failure.Code, failed.error)
	values := url.Values{"error": {failure.Code}}
	if failure.Description != "" {
		values.Set("error_description", failure.Description)
	}
	f.redirectBack(w, failed.login, values)
}

// refuse answers a request whose redirect URI must not get the error.
func (f *Facade) refuse(w http.ResponseWriter, r *http.Request, reason error) {
	f.logRefusal(r, "invalid_request", reason)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	status := http.StatusBadRequest
	if errors.Is(reason, errBusy) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "This sign-in request is invalid or expired. Start again in your app.\n")
}

// redirectBack sends an answer to the client, with the issuer (RFC 9207).
func (f *Facade) redirectBack(w http.ResponseWriter, request login, values url.Values) {
	values.Set("iss", f.issuer)
	if request.State != "" {
		values.Set("state", request.State)
	}
	separator := "?"
	if strings.Contains(request.RedirectURI, "?") {
		separator = "&"
	}
	redirect(w, request.RedirectURI+separator+values.Encode())
}

// redirect redirects a browser by GET and without a referrer.
func redirect(w http.ResponseWriter, target string) {
	w.Header().Set("Location", target)
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}
