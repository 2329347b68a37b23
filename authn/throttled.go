package authn

// Throttled is implemented by schemes whose credentials somebody could find by
// trying, such as passwords. That is all they have to do: the gate counts what
// they refuse with [CodeInvalidCredentials], and does not ask them about
// attempts of those who have to wait.
type Throttled interface {
	// Account names whom a credential claims to be, always in one spelling;
	// empty where it names nobody, as an API key or something malformed. It
	// must make no difference whether there is such an account.
	Account(Credential) string
}
