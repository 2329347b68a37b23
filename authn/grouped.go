package authn

// Grouped is implemented by schemes of which one gate may accept many, such as
// one for each issuer: the gate looks for their credential once, and has it
// judged by those only that it may belong to, however many there are.
type Grouped interface {
	// Group names what the scheme finds: two schemes with the same name find the
	// same credential in a request.
	Group() string

	// IssuerOf reads whose a credential says it is, without believing it; empty
	// if it does not say.
	IssuerOf(*Request, Credential) string

	// AcceptsIssuer is the owner whose credentials the scheme takes, empty for any. One
	// that takes unnamed credentials too is asked about those that do not say
	// whose they are.
	AcceptsIssuer() (owner string, unnamed bool)
}
