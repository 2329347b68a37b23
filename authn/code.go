package authn

import (
	"maps"
	"net/http"
	"slices"
)

// Code is the name of a refusal for clients. It is the member `code` of every body, and
// discloses only what a client may know.
type Code string

// The codes of the public surface.
const (
	CodeMissing             Code = "missing_credentials"
	CodeInvalidRequest      Code = "invalid_request"
	CodeInvalidToken        Code = "invalid_token"
	CodeExpiredToken        Code = "expired_token"
	CodeRevokedToken        Code = "revoked_token"
	CodeInvalidCredentials  Code = "invalid_credentials"
	CodeInsufficientScope   Code = "insufficient_scope"
	CodeInsufficientRole    Code = "insufficient_role"
	CodeAccessDenied        Code = "access_denied"
	CodeInsufficientSession Code = "insufficient_user_authentication"
	CodeUnavailable         Code = "temporarily_unavailable"
	CodeTooManyAttempts     Code = "too_many_attempts"
	CodeTooEarly            Code = "too_early"
	CodeInvalidProof        Code = "invalid_dpop_proof"
	CodeUseNonce            Code = "use_dpop_nonce"
	CodeInternal            Code = "internal_error"
)

// answers are the status and the sentence of each code.
var answers = map[Code]struct {
	status int
	detail string
}{
	CodeMissing:             {http.StatusUnauthorized, "Not authenticated"},
	CodeInvalidRequest:      {http.StatusBadRequest, "The request is ambiguous or malformed"},
	CodeInvalidToken:        {http.StatusUnauthorized, "The access token is invalid"},
	CodeExpiredToken:        {http.StatusUnauthorized, "The access token is expired"},
	CodeRevokedToken:        {http.StatusUnauthorized, "The access token is revoked"},
	CodeInvalidCredentials:  {http.StatusUnauthorized, "The credentials are invalid"},
	CodeInsufficientScope:   {http.StatusForbidden, "Not enough permissions"},
	CodeInsufficientRole:    {http.StatusForbidden, "Not enough permissions"},
	CodeAccessDenied:        {http.StatusForbidden, "Not enough permissions"},
	CodeInsufficientSession: {http.StatusUnauthorized, "A more recent or a stronger login is required"},
	CodeUnavailable:         {http.StatusServiceUnavailable, "Authentication is temporarily unavailable"},
	CodeTooManyAttempts:     {http.StatusTooManyRequests, "Too many failed attempts"},
	CodeTooEarly:            {http.StatusTooEarly, "The connection is not complete yet, please repeat the request"},
	CodeInvalidProof:        {http.StatusUnauthorized, "The proof of possession is invalid"},
	CodeUseNonce:            {http.StatusUnauthorized, "The proof of possession needs a nonce"},
	CodeInternal:            {http.StatusInternalServerError, "Authentication failed for a reason of the server"},
}

// Known reports whether a code is part of the public surface.
func (c Code) Known() bool {
	_, found := answers[c]
	return found
}

// Codes returns all codes, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(answers)) }

// Status is the HTTP status of a code. It is 500 for an unknown code.
func (c Code) Status() int {
	if answer, found := answers[c]; found {
		return answer.status
	}
	return http.StatusInternalServerError
}

// Detail is the sentence that explains a code to a client.
func (c Code) Detail() string {
	if answer, found := answers[c]; found {
		return answer.detail
	}
	return http.StatusText(http.StatusInternalServerError)
}
