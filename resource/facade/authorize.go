package facade

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/page"
)

// digestForm is the form of 32 bytes in base64url: an S256 challenge (RFC 7636 §4.2), and
// the cookie of a browser.
var digestForm = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)

// authorize asks the user whether the client may have access. The provider knows one
// client only and remembers its consent. Without this page, any client would get access
// through a browser that is signed in (confused deputy).
func (f *Facade) authorize(w http.ResponseWriter, r *http.Request) error {
	query, err := readQuery(r, maxRequest)
	if err != nil {
		return err
	}
	request := login{ClientID: query.Get("client_id"), RedirectURI: query.Get("redirect_uri")}
	if err := f.checkClient(r, request); err != nil {
		return err
	}
	// The redirect URI is the client's own, so errors go there from here on.
	if request.State = query.Get("state"); len(request.State) > maxState {
		request.State = ""
		return request.fail(oauthError("invalid_request", "state is too long"))
	}
	if request.Challenge, request.Passed, err = f.readRequest(query); err != nil {
		return request.fail(err)
	}
	request.Browser = f.browser(w, r)
	return request.fail(f.showConsent(w, r, request))
}

// showConsent shows the page of the consent.
func (f *Facade) showConsent(w http.ResponseWriter, r *http.Request, request login) error {
	sealed, err := seal(f.sealer, forConsent, request)
	if err != nil {
		return err
	}
	facts := page.Consent{
		RedirectHost: hostOf(request.RedirectURI), RedirectURI: request.RedirectURI, Resource: f.issuer, Scope: f.requestedScope(request.Passed),
		Action: EndpointPath + "/consent" + f.path, Request: sealed,
	}
	if facts.AppHost = facts.RedirectHost; request.ClientID != f.ClientID {
		facts.AppHost = strings.TrimPrefix(originOf(request.ClientID), "https://")
	}
	rendered, err := f.pages.RenderConsent(facts, r.Header["Accept-Language"])
	if err != nil {
		return err
	}
	header := w.Header()
	// Without form-action: browsers apply it to redirects after the form as well, and
	// those lead to the provider and to the client.
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Language", rendered.Language)
	_, _ = w.Write(rendered.HTML)
	return nil
}

// requestedScope is the scope that the provider is asked for.
func (f *Facade) requestedScope(passed url.Values) string {
	if endpoint, err := url.Parse(f.AuthorizationEndpoint); err == nil && endpoint.Query().Has("scope") {
		return endpoint.Query().Get("scope") // it comes first
	}
	return passed.Get("scope")
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
	case query.Get("code_challenge_method") != "S256" || !digestForm.MatchString(challenge):
		return "", nil, oauthError("invalid_request", "PKCE with S256 is required")
	case resource != "" && resource != strings.TrimSuffix(f.issuer, "/"):
		return "", nil, oauthError("invalid_target", "")
	case slices.ContainsFunc(strings.Split(query.Get("scope"), " "), func(scope string) bool { return scope != "" && !authheader.IsScopeToken(scope) }):
		return "", nil, oauthError("invalid_scope", "")
	}
	return challenge, f.passedOn(query), nil
}

// passedOn returns the parameters of a client that the provider gets unchanged, and the
// configured scopes.
func (f *Facade) passedOn(from url.Values) url.Values {
	passed := make(url.Values)
	for _, name := range passable {
		if values := from[name]; values != nil && !slices.Contains(f.Drop, name) {
			passed[name] = values
		}
	}
	if len(f.Scopes) > 0 && !slices.Contains(f.Drop, "scope") {
		passed.Set("scope", strings.Join(f.Scopes, " "))
	}
	return passed
}

// consent reads the answer of the user. It sends a user who agrees to the provider.
func (f *Facade) consent(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(w, r)
	if err == nil {
		err = f.csrf.Check(r)
	}
	if err != nil {
		return err
	}
	request, err := f.openLogin(r, forConsent, form.Get("request"))
	if err != nil {
		return err
	}
	if form.Get("decision") != "allow" {
		return request.fail(oauthError("access_denied", "the user denied the request"))
	}
	target, err := f.providerURL(r, request)
	if err != nil {
		f.logFailure(err)
		return request.fail(oauthError("temporarily_unavailable", ""))
	}
	redirect(w, target)
	return nil
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
func (f *Facade) callback(w http.ResponseWriter, r *http.Request) error {
	query, err := readQuery(r, maxAnswered)
	if err != nil {
		return err
	}
	request, err := f.openLogin(r, forCallback, query.Get("state"))
	if err != nil {
		return err
	}
	if issuer := query.Get("iss"); issuer != "" && f.endpoints.Issuer != "" && !sameIssuer(issuer, f.endpoints.Issuer) {
		return errors.New("the answer is of another issuer (RFC 9207)")
	}
	code, failure := query.Get("code"), query.Get("error")
	switch {
	case failure != "" && errorForm.MatchString(failure):
		return request.fail(oauthError(failure, query.Get("error_description")))
	case failure != "" || code == "" || len(code) > maxCode:
		return request.fail(oauthError("server_error", "the provider answered without a code"))
	}
	sealed, err := seal(f.sealer, forToken, grant{code, request.ClientID, request.RedirectURI, request.Challenge})
	if err != nil {
		return request.fail(err)
	}
	f.redirectBack(w, request, url.Values{"code": {sealed}})
	return nil
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
