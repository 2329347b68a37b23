package authn

// Throttled is implemented by schemes whose credentials an attacker could guess, such
// as passwords. The gate counts their refusals with [CodeInvalidCredentials], and does
// not call them for a client that must wait.
type Throttled interface {
	// Account is the account that a credential claims, always in one spelling. It is
	// empty for an API key or a malformed credential. It must not depend on whether the
	// account exists.
	Account(Credential) string
}
