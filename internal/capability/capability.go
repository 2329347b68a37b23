// Package capability has the interfaces by which the gate uses what single schemes of
// this module can do beyond [authn.Scheme]. Schemes of other plugins need none of them.
package capability

import (
	"context"
	"errors"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/idp"
)

// Grouped is implemented by schemes of which one gate may accept many, such as one
// for each issuer. The gate finds the credential of a group once, and only the schemes
// that accept its issuer verify it, however many there are.
type Grouped interface {
	// Group names what the scheme finds: two schemes with the same name find the
	// same credential in a request.
	Group() string

	// IssuerOf reads the issuer of a credential that is not verified yet; empty
	// for none.
	IssuerOf(*authn.Request, authn.Credential) string

	// AcceptsIssuer returns the issuer whose credentials the scheme accepts, empty
	// for any issuer. Unnamed reports whether it also accepts credentials without
	// an issuer.
	AcceptsIssuer() (issuer string, unnamed bool)
}

// LocationLister is implemented by schemes that can list all locations where they
// look for a credential. A gate clears these locations without reading them.
type LocationLister interface {
	Locations() []authn.Location
}

// MetadataProvider is implemented by schemes with something to say in the metadata of
// a protected resource (RFC 9728 §2).
type MetadataProvider interface {
	Metadata() SchemeMetadata
}

// SchemeMetadata is what clients may know about a scheme before they use it.
type SchemeMetadata struct {
	// Issuer is the authorization server; empty if it is not known.
	Issuer string
	// BearerMethods are where a token may be: header, body, query.
	BearerMethods []string
	// DPoPAlgorithms are the algorithms of proofs; empty without DPoP.
	DPoPAlgorithms []string
	// DPoPRequired says that every token must be bound to a key.
	DPoPRequired bool
	// CertificateBound says that every token must be bound to a certificate.
	CertificateBound bool
}

// ProviderUser is implemented by schemes whose credentials come from an identity
// provider.
type ProviderUser interface {
	// IdentityProvider returns the provider and how the scheme reaches it. The client
	// is good for as long as the context.
	IdentityProvider(context.Context) (idp.Provider, error)
}

// Refresher is implemented by schemes that can fetch their keys again.
type Refresher interface {
	// Refresh fetches now, whatever was fetched or has failed before, and returns
	// when that is done. It is [ErrNothingToRefresh] where nothing is fetched.
	Refresh(context.Context) error
}

// ErrNothingToRefresh is the error of a [Refresher] that fetches nothing: its files
// are read again when they change.
var ErrNothingToRefresh = errors.New("the scheme fetches nothing")

// FetchObserved is implemented by schemes that fetch keys and report failures.
type FetchObserved interface {
	// OnFetchFailed calls observe for each failure until stop is called.
	OnFetchFailed(observe func(FetchFailure)) (stop func())
}

// FetchFailure is a failed attempt to fetch keys.
type FetchFailure struct {
	// From is where the keys are, without user information and query.
	From string
	// Reason is the kind of failure, as in [report.KeySource.Reason].
	Reason string
	// Keys is the number of keys that stay in use.
	Keys int
}

// Callers is implemented by schemes that keep a list of their callers.
type Callers interface {
	// HasCaller reports whether a caller of this id is in the list. An error means
	// that the text is a credential and not an id.
	HasCaller(id string) (bool, error)
}

// Revocable is implemented by schemes of tokens, which check revocations themselves.
// The gate checks the revocations of callers of all other schemes.
type Revocable interface {
	// Ends returns when a credential ends; false if this scheme cannot verify its
	// signature. It makes no network request, which would show the credential.
	Ends(ctx context.Context, credential string) (time.Time, bool)

	// IsRevoked reports whether a credential was revoked since the scheme, or one of the
	// same name in an earlier configuration, has accepted it. An error means that the
	// store does not know yet.
	IsRevoked(authn.Credential, *authn.Identity) (bool, error)
}
