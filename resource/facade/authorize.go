package facade

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/page"
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

// challengeForm is that of an S256 challenge (RFC 7636 §4.2).
var challengeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// authorize asks the user whether the client may have access. The provider knows one
// client only and remembers its consent. Without this page, any client would get access
// through a browser that is signed in (confused deputy).
func (f *Facade) authorize(w http.ResponseWriter, r *http.Request) {
	query, err := readQuery(r, maxRequest)
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	request := login{ClientID: query.Get("client_id"), RedirectURI: query.Get("redirect_uri")}
	if err := f.checkClient(r, request); err != nil {
		f.refuse(w, r, err)
		return
	}
	// From here on the redirect URI belongs to the client, and errors go there.
	if request.State = query.Get("state"); len(request.State) > maxState {
		request.State = ""
		f.answer(w, r, request, oauthError("invalid_request", "state is too long"))
		return
	}
	if request.Challenge, request.Passed, err = f.readRequest(query); err != nil {
		f.answer(w, r, request, err)
		return
	}
	browser := f.browser(w, r)
	sum := sha256.Sum256([]byte(browser))
	request.Browser = sum[:]
	sealed, err := seal(f.sealer, forConsent, request)
	if err != nil {
		f.answer(w, r, request, err)
		return
	}
	f.ask(w, r, request, sealed)
}

// ask shows the page of the consent.
func (f *Facade) ask(w http.ResponseWriter, r *http.Request, request login, sealed string) {
	facts := page.Consent{
		RedirectHost: hostOf(request.RedirectURI), RedirectURI: request.RedirectURI, Resource: f.issuer,
		Action: EndpointPlace + "/consent" + f.path, Request: sealed,
	}
	if facts.AppHost = facts.RedirectHost; request.ClientID != f.ClientID {
		facts.AppHost = strings.TrimPrefix(originOf(request.ClientID), "https://")
	}
	page, err := f.pages.RenderConsent(facts, r.Header["Accept-Language"])
	if err != nil {
		f.answer(w, r, request, err)
		return
	}
	header := w.Header()
	// Without form-action: browsers apply it to redirects after the form as well, and
	// those lead to the provider and to the client.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", page.Language)
	_, _ = w.Write(page.HTML)
}

// checkClient checks the client and its redirect URI. An error must not go to the
// redirect URI before both are valid (RFC 6749 §4.1.2.1).
func (f *Facade) checkClient(r *http.Request, request login) error {
	if request.ClientID == f.ClientID {
		return f.checkRedirect(request.RedirectURI)
	}
	if !isDocumentURL(request.ClientID) {
		return errors.New("unknown client_id")
	}
	document, err := f.documents.find(r, request.ClientID)
	if err != nil {
		return fmt.Errorf("the client ID metadata document: %w", err)
	}
	return f.checkDocumented(request.RedirectURI, document)
}

// readRequest returns the challenge of PKCE, and the parameters for the provider.
func (f *Facade) readRequest(query url.Values) (challenge string, passed url.Values, err error) {
	challenge = query.Get("code_challenge")
	resource := strings.TrimSuffix(query.Get("resource"), "/")
	switch {
	case query.Has("request"):
		return "", nil, oauthError("request_not_supported", "")
	case query.Has("request_uri"):
		return "", nil, oauthError("request_uri_not_supported", "")
	case query.Get("response_type") != "code":
		return "", nil, oauthError("unsupported_response_type", "")
	case query.Get("response_mode") != "" && query.Get("response_mode") != "query":
		return "", nil, oauthError("invalid_request", "response_mode must be query")
	case query.Get("code_challenge_method") != "S256" || !challengeForm.MatchString(challenge):
		return "", nil, oauthError("invalid_request", "PKCE with S256 is required")
	case resource != "" && resource != strings.TrimSuffix(f.issuer, "/"):
		return "", nil, oauthError("invalid_target", "")
	}
	passed = f.passedOn(query)
	delete(passed, "response_mode")
	return challenge, passed, nil
}

// passedOn returns the parameters of a client that the provider gets unchanged, and the
// configured scopes.
func (f *Facade) passedOn(from url.Values) url.Values {
	passed := make(url.Values, len(from))
	for name, values := range from {
		if !slices.Contains(essential, name) && !slices.Contains(f.Drop, name) {
			passed[name] = values
		}
	}
	if len(f.Scopes) > 0 && !slices.Contains(f.Drop, "scope") {
		passed.Set("scope", strings.Join(f.Scopes, " "))
	}
	return passed
}

// consent reads the answer of the user. It sends a user who agrees to the provider.
func (f *Facade) consent(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err == nil {
		err = f.csrf.Check(r)
	}
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	request, err := open[login](f.sealer, forConsent, form.Get("request"))
	if err == nil {
		err = f.checkBrowser(r, request)
	}
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	if form.Get("decision") != "allow" {
		f.answer(w, r, request, oauthError("access_denied", "the user denied the request"))
		return
	}
	target, err := f.providerURL(r, request)
	if err != nil {
		f.failed(err)
		f.answer(w, r, request, oauthError("temporarily_unavailable", ""))
		return
	}
	redirect(w, target)
}

// providerURL returns the URL at which the user signs in.
func (f *Facade) providerURL(r *http.Request, request login) (string, error) {
	endpoint, err := f.authorizationEndpoint(r)
	if err != nil {
		return "", err
	}
	state, err := seal(f.sealer, forCallback, request)
	if err != nil {
		return "", err
	}
	query := url.Values{
		"response_type": {"code"}, "client_id": {f.ClientID}, "redirect_uri": {f.url("callback")}, "state": {state},
		"code_challenge": {request.Challenge}, "code_challenge_method": {"S256"},
	}
	target, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	// Parameters of the configured endpoint come first, those of the client last.
	for _, more := range []url.Values{target.Query(), request.Passed} {
		for name, values := range more {
			if !query.Has(name) {
				query[name] = values
			}
		}
	}
	target.RawQuery = query.Encode()
	return target.String(), nil
}

// errorForm is that of an error code (RFC 6749 §4.1.2.1), short.
var errorForm = regexp.MustCompile(`^[a-z_]{1,64}$`)

// callback returns the answer of the provider to the client. Only the browser in which
// the user agreed may send it. Otherwise an attacker could agree, and let another user
// sign in.
func (f *Facade) callback(w http.ResponseWriter, r *http.Request) {
	query, err := readQuery(r, maxAnswered)
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	request, err := open[login](f.sealer, forCallback, query.Get("state"))
	if err == nil {
		err = f.checkBrowser(r, request)
	}
	if issuer := query.Get("iss"); err == nil && issuer != "" && f.endpoints.Issuer != "" && !sameIssuer(issuer, f.endpoints.Issuer) {
		err = errors.New("the answer is of another issuer (RFC 9207)")
	}
	if err != nil {
		f.refuse(w, r, err)
		return
	}
	code, failure := query.Get("code"), query.Get("error")
	switch {
	case failure != "" && errorForm.MatchString(failure):
		f.answer(w, r, request, oauthError(failure, query.Get("error_description")))
	case failure != "" || code == "" || len(code) > maxCode:
		f.answer(w, r, request, oauthError("server_error", "the provider answered without a code"))
	default:
		f.grant(w, r, request, code)
	}
}

// sameIssuer compares issuers. In an answer, the issuer of a provider with many tenants
// names one tenant.
func sameIssuer(answered, configured string) bool {
	before, after, template := strings.Cut(configured, idp.TenantPlaceholder)
	if !template {
		return answered == configured
	}
	return strings.HasPrefix(answered, before) && strings.HasSuffix(answered, after)
}

// grant returns a code to the client, which only this client can redeem, and only here.
func (f *Facade) grant(w http.ResponseWriter, r *http.Request, request login, code string) {
	sealed, err := seal(f.sealer, forToken, grant{code, request.ClientID, request.RedirectURI, request.Challenge})
	if err != nil {
		f.answer(w, r, request, err)
		return
	}
	f.redirectBack(w, request, url.Values{"code": {sealed}})
}

// answer sends an error to the client.
func (f *Facade) answer(w http.ResponseWriter, r *http.Request, request login, err error) {
	failure, ok := errors.AsType[*protocolError](err)
	if !ok {
		failure = oauthError("server_error", "")
	}
	f.refused(r, failure.Code, err)
	values := url.Values{"error": {failure.Code}}
	if failure.Description != "" {
		values.Set("error_description", failure.Description)
	}
	f.redirectBack(w, request, values)
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

// refuse answers a request whose redirect URI must not get the error.
func (f *Facade) refuse(w http.ResponseWriter, r *http.Request, reason error) {
	f.refused(r, "invalid_request", reason)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	status := http.StatusBadRequest
	if errors.Is(reason, errBusy) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", retryAfter)
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "This sign-in request is invalid or expired. Start again in your app.\n")
}

// browserForm is the form of the cookie.
var browserForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// cookieName is the name of the cookie that ties a login to a browser. Because of the
// prefix, no other host can set it.
func (f *Facade) cookieName() string {
	if strings.HasPrefix(f.issuer, "https://") {
		return "__Host-auth-facade"
	}
	return "auth-facade"
}

// browser returns the value that ties a login to the browser, and sets it as a cookie.
// Logins in several tabs share it.
func (f *Facade) browser(w http.ResponseWriter, r *http.Request) string {
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
	return value
}

// browserOf returns the cookie of a request. It is empty without one, and with several.
func (f *Facade) browserOf(r *http.Request) string {
	cookies := r.CookiesNamed(f.cookieName())
	if len(cookies) != 1 || !browserForm.MatchString(cookies[0].Value) {
		return ""
	}
	return cookies[0].Value
}

// checkBrowser refuses a step of a login that began in another browser.
func (f *Facade) checkBrowser(r *http.Request, request login) error {
	value := f.browserOf(r)
	sum := sha256.Sum256([]byte(value))
	if value == "" || subtle.ConstantTimeCompare(sum[:], request.Browser) != 1 {
		return errors.New("the login was begun in another browser")
	}
	return nil
}

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
