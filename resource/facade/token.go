package facade

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

const (
	// maxAnswer bounds an answer of the provider, in bytes.
	maxAnswer = 256 << 10
	// callTimeout bounds the time of an answer.
	callTimeout = 15 * time.Second
	// bodyTimeout bounds the time in which a body arrives.
	bodyTimeout = 10 * time.Second
	// retryAfter is when to ask again, in seconds.
	retryAfter = "5"
)

// noDeadline removes a deadline.
var noDeadline time.Time

// protocolError is an error of OAuth 2.0 for a client.
type protocolError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`

	status int // 0 for 400
}

func (e *protocolError) Error() string {
	if e.Description == "" {
		return e.Code
	}
	return e.Code + ": " + e.Description
}

// maxDescription bounds a description, in bytes.
const maxDescription = 512

// oauthError is an error whose description has the characters of RFC 6749 §5.2 only.
func oauthError(code, description string) *protocolError {
	description = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return -1
		}
		return c
	}, description[:min(len(description), maxDescription)])
	return &protocolError{Code: code, Description: description}
}

// unavailable is the error while the provider cannot be reached. It must not say that
// the client or its token is invalid.
func unavailable() *protocolError {
	return &protocolError{Code: "temporarily_unavailable", status: http.StatusServiceUnavailable}
}

// token redeems a code or a refresh token at the provider.
func (f *Facade) token(w http.ResponseWriter, r *http.Request) error {
	answer, err := f.redeem(w, r)
	if err != nil {
		return err
	}
	writeBody(w, http.StatusOK, answer)
	return nil
}

// writeError answers with an error of OAuth.
func (f *Facade) writeError(w http.ResponseWriter, r *http.Request, err error) {
	failure, ok := errors.AsType[*protocolError](err)
	if !ok {
		failure = oauthError("invalid_request", err.Error())
	}
	f.logRefusal(r, failure.Code, err)
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, errBusy):
		failure, status = unavailable(), http.StatusServiceUnavailable
	case failure.status != 0:
		status = failure.status
	}
	switch status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryAfter)
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="token"`) // RFC 6749 §5.2
	}
	_ = writeJSON(w, status, failure) // two strings
}

// writeJSON answers with a value in JSON.
func writeJSON(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err == nil {
		writeBody(w, status, body)
	}
	return err
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // it is JSON, and declared so
}

// redeem returns the answer of the provider to a good request.
func (f *Facade) redeem(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.Header.Get("Authorization") != "" {
		return nil, &protocolError{Code: "invalid_client", Description: "clients have no secret here", status: http.StatusUnauthorized}
	}
	form, err := readForm(w, r)
	if err != nil {
		return nil, err
	}
	if resource := strings.TrimSuffix(form.Get("resource"), "/"); resource != "" && resource != strings.TrimSuffix(f.issuer, "/") {
		return nil, oauthError("invalid_target", "")
	}
	var passed url.Values
	switch form.Get("grant_type") {
	case "authorization_code":
		passed, err = f.codeRequest(form)
	case "refresh_token":
		passed, err = f.refreshRequest(form)
	default:
		err = oauthError("unsupported_grant_type", "")
	}
	if err != nil {
		return nil, err
	}
	return f.call(r, passed)
}

// verifierForm is that of a code verifier (RFC 7636 §4.1).
var verifierForm = regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`)

// codeRequest checks a code and all that it is bound to. It also verifies PKCE, because
// some providers ignore it.
func (f *Facade) codeRequest(form url.Values) (url.Values, error) {
	granted, err := open[grant](f.sealer, forToken, form.Get("code"))
	if err != nil {
		return nil, oauthError("invalid_grant", "the code is invalid or expired")
	}
	verifier := form.Get("code_verifier")
	challenge := oauth2.S256ChallengeFromVerifier(verifier)
	switch {
	case form.Get("client_id") != granted.ClientID:
		return nil, oauthError("invalid_grant", "the code is of another client")
	case form.Has("redirect_uri") && form.Get("redirect_uri") != granted.RedirectURI:
		return nil, oauthError("invalid_grant", "redirect_uri is another one than in the authorization request")
	case !verifierForm.MatchString(verifier) || subtle.ConstantTimeCompare([]byte(challenge), []byte(granted.Challenge)) != 1:
		return nil, oauthError("invalid_grant", "code_verifier does not match")
	}
	passed := f.passedOn(form)
	if len(f.Scopes) == 0 || !form.Has("scope") {
		delete(passed, "scope") // the user agreed to that of the login
	}
	passed.Set("grant_type", "authorization_code")
	passed.Set("code", granted.Code)
	passed.Set("code_verifier", verifier)
	passed.Set("redirect_uri", f.url("callback"))
	return passed, nil
}

// refreshRequest passes a refresh token on. The token is not bound to a client here:
// the facade stores no token, and the provider knows one client.
func (f *Facade) refreshRequest(form url.Values) (url.Values, error) {
	client := form.Get("client_id")
	switch {
	case client != f.ClientID && !isDocumentURL(client):
		return nil, oauthError("invalid_client", "")
	case form.Get("refresh_token") == "":
		return nil, oauthError("invalid_request", "refresh_token is missing")
	}
	passed := f.passedOn(form)
	if len(f.Scopes) == 0 {
		delete(passed, "scope") // some providers would grant more than the user agreed to
	}
	passed.Set("grant_type", "refresh_token")
	passed.Set("refresh_token", form.Get("refresh_token"))
	return passed, nil
}

// call calls the token endpoint of the provider as the client that it knows.
func (f *Facade) call(r *http.Request, form url.Values) ([]byte, error) {
	client := clientaddress.NetworkOf(r)
	if !f.calls.TryAcquire(client) {
		return nil, errBusy
	}
	defer f.calls.Release(client)
	ctx, cancel := context.WithTimeout(r.Context(), callTimeout)
	defer cancel()
	answer, err := f.post(ctx, r, form)
	if err != nil {
		f.logFailure(idp.Plain(err))
		return nil, unavailable()
	}
	status := answer.Status
	members, err := strictjson.Object(answer.Body)
	failure, _ := members["error"].(string)
	token, _ := members["access_token"].(string)
	switch {
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		f.logFailure(idp.StatusError(status))
		return nil, unavailable()
	case err == nil && failure != "": // also with status 200, as GitHub does
		description, _ := members["error_description"].(string)
		return nil, f.providerError(failure, description)
	case err != nil || status != http.StatusOK || token == "":
		f.logFailure(fmt.Errorf("the token endpoint answered with status %d and no token in JSON", status))
		return nil, &protocolError{Code: "server_error", status: http.StatusBadGateway}
	}
	f.provider.Recovered()
	return answer.Body, nil
}

// post sends the form with the credentials of the client.
func (f *Facade) post(ctx context.Context, r *http.Request, form url.Values) (*idp.Document, error) {
	endpoint, err := f.tokenEndpoint(r)
	if err != nil {
		return nil, err
	}
	form.Set("client_id", f.ClientID)
	if f.ClientSecret != "" {
		form.Set("client_secret", f.ClientSecret)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode())) //nolint:gosec // the endpoint is the provider's
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return idp.Exchange(f.endpoints.Client, request, maxAnswer)
}

// tokenErrors are the errors of a token endpoint that clients know (RFC 6749 §5.2, RFC
// 8707 §2, OpenID Connect Core §3.1.2.6).
var tokenErrors = []string{
	"invalid_request", "invalid_grant", "invalid_scope", "invalid_target", "interaction_required", "login_required", "consent_required",
}

// providerError returns an error of the provider that the client can act on. An error
// about the shared client is not the fault of this client, which would register again
// and again. The log has it.
func (f *Facade) providerError(code, description string) error {
	switch {
	case slices.Contains(tokenErrors, code):
		return oauthError(code, description)
	case code == "bad_verification_code", code == "bad_refresh_token": // of GitHub
		return oauthError("invalid_grant", description)
	}
	f.logFailure(fmt.Errorf("the token endpoint refused the client: %w", oauthError(errorForm.FindString(code), description)))
	return &protocolError{Code: "server_error", status: http.StatusBadGateway}
}
