package authn

import "github.com/excorp/caddy-require-auth/internal/denial"

// Code names a refusal for clients. It is the member `code` of every body and
// says no more than a client may know.
type Code = denial.Code

// The codes of the public surface.
const (
	CodeMissing             = denial.CodeMissing
	CodeInvalidRequest      = denial.CodeInvalidRequest
	CodeInvalidToken        = denial.CodeInvalidToken
	CodeExpiredToken        = denial.CodeExpiredToken
	CodeRevokedToken        = denial.CodeRevokedToken
	CodeInvalidCredentials  = denial.CodeInvalidCredentials
	CodeInsufficientScope   = denial.CodeInsufficientScope
	CodeInsufficientRole    = denial.CodeInsufficientRole
	CodeAccessDenied        = denial.CodeAccessDenied
	CodeInsufficientSession = denial.CodeInsufficientSession
	CodeUnavailable         = denial.CodeUnavailable
	CodeTooManyAttempts     = denial.CodeTooManyAttempts
	CodeTooEarly            = denial.CodeTooEarly
	CodeInvalidProof        = denial.CodeInvalidProof
	CodeUseNonce            = denial.CodeUseNonce
	CodeInternal            = denial.CodeInternal
)
