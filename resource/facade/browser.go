package facade

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
)

// cookieName is the name of the cookie that ties a login to a browser. Because of the
// prefix, no other host can set it.
func (f *Facade) cookieName() string {
	if strings.HasPrefix(f.issuer, "https://") {
		return "__Host-auth-facade"
	}
	return "auth-facade"
}

// browser sets the cookie that ties a login to the browser, and returns its digest.
// Logins in several tabs share it.
func (f *Facade) browser(w http.ResponseWriter, r *http.Request) []byte {
	value := f.browserOf(r)
	if value == "" {
		random := make([]byte, 32)
		_, _ = rand.Read(random) // never fails
		value = base64.RawURLEncoding.EncodeToString(random)
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // without TLS is for this machine only
		Name: f.cookieName(), Value: value, Path: "/", MaxAge: int(lifetime.Seconds()), HttpOnly: true,
		Secure: strings.HasPrefix(f.issuer, "https://"), SameSite: http.SameSiteLaxMode,
	})
	sum := sha256.Sum256([]byte(value))
	return sum[:]
}

// browserOf returns the cookie of a request. It is empty without one, and with several.
func (f *Facade) browserOf(r *http.Request) string {
	cookies := r.CookiesNamed(f.cookieName())
	if len(cookies) != 1 || !digestForm.MatchString(cookies[0].Value) {
		return ""
	}
	return cookies[0].Value
}

// checkBrowser refuses a step of a login that began in another browser.
func (f *Facade) checkBrowser(r *http.Request, request login) error {
	value := f.browserOf(r)
	sum := sha256.Sum256([]byte(value))
	if value == "" || subtle.ConstantTimeCompare(sum[:], request.Browser) != 1 {
		return errors.New("the login began in another browser")
	}
	return nil
}
