package authn

// Describer is implemented by schemes that have something to say in the
// metadata of a protected resource (RFC 9728 §2).
type Describer interface {
	Describe() Description
}

// Description is what clients may know about a scheme before they use it.
type Description struct {
	// Issuer is the authorization server, empty if it is not known.
	Issuer string
	// BearerMethods are where a token may stand: header, body, query.
	BearerMethods []string
	// DPoPAlgorithms are the algorithms of proofs; empty without DPoP.
	DPoPAlgorithms []string
	// DPoPRequired says that every token has to be bound to a key.
	DPoPRequired bool
	// CertificateBound says that every token has to be bound to a certificate.
	CertificateBound bool
}
