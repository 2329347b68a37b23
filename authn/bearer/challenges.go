package bearer

import (
	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/dpop"
	"github.com/excorp/caddy-require-auth/store"
)

// The authentication schemes of tokens.
const (
	bearerScheme = "Bearer"
	dpopScheme   = "DPoP"
)

// oauthErrors are the errors for clients, by code. The descriptions are constants, so
// that no cause leaks. A code that is not here has no challenge.
var oauthErrors = map[authn.Code]struct{ name, description string }{
	authn.CodeMissing:             {},
	authn.CodeInvalidRequest:      {"invalid_request", "The request is malformed"},
	authn.CodeInvalidToken:        {"invalid_token", "The access token is invalid"},
	authn.CodeExpiredToken:        {"invalid_token", "The access token is expired"},
	authn.CodeRevokedToken:        {"invalid_token", "The access token is revoked"},
	authn.CodeInsufficientScope:   {"insufficient_scope", "The access token lacks a required scope"},
	authn.CodeInsufficientSession: {"insufficient_user_authentication", "A more recent or a stronger login is required"},
	authn.CodeInvalidProof:        {"invalid_dpop_proof", "The DPoP proof is invalid"},
	authn.CodeUseNonce:            {"use_dpop_nonce", "The DPoP proof needs the nonce of this server"},
}

// Challenges asks for a token and names the error of the presented one (RFC 6750 §3,
// RFC 9449 §7). If every token must be bound to a key, there is no challenge for
// Bearer.
func (b *Bearer) Challenges(params authn.ChallengeParams) []authn.Challenge {
	if _, found := oauthErrors[params.Code]; !found {
		return nil
	}
	var all []authn.Challenge
	for _, scheme := range b.authenticationSchemes() {
		// A caller who is known needs to hear of the scheme they used only.
		if !params.Unauthenticated() && params.Code != authn.CodeInvalidRequest && scheme != b.answering(params.Presented) {
			continue
		}
		all = append(all, b.challenge(scheme, params))
	}
	return all
}

func (b *Bearer) challenge(scheme string, params authn.ChallengeParams) authn.Challenge {
	challenge := authn.Challenge{
		Scheme: scheme, Realm: params.RealmFor(b.Realm),
		Scope: params.Scope, ResourceMetadata: params.ResourceMetadata,
	}
	if scheme == bearerScheme && b.Service != "" {
		challenge.Extra = []authn.Parameter{{Name: "service", Value: b.Service}}
	}
	if scheme == dpopScheme {
		challenge.Algorithms = dpop.Algorithms()
	}
	if params.Code == authn.CodeInvalidRequest || scheme == b.answering(params.Presented) {
		oauthError := oauthErrors[params.Code]
		challenge.Error, challenge.ErrorDescription = oauthError.name, oauthError.description
		challenge.ACRValues, challenge.MaxAge = params.ACRValues, params.MaxAge
	}
	return challenge
}

// authenticationSchemes are those that a token may be sent with.
func (b *Bearer) authenticationSchemes() []string {
	switch b.DPoP {
	case bindingOptional:
		return []string{bearerScheme, dpopScheme}
	case bindingRequired:
		return []string{dpopScheme}
	default:
		return []string{bearerScheme}
	}
}

// answering is the scheme whose challenge has the error for a token that came with the
// presented scheme.
func (b *Bearer) answering(presented string) string {
	if presented != "" && b.DPoP == bindingRequired {
		return dpopScheme
	}
	return presented
}

// Metadata says what clients may know beforehand.
func (b *Bearer) Metadata() capability.SchemeMetadata {
	description := capability.SchemeMetadata{CertificateBound: b.CertificateBound == bindingRequired}
	if !b.isTemplate() { // which is the issuer of no tenant
		description.Issuer = b.Issuer
	}
	for _, location := range b.TokenFrom {
		if method, found := bearerMethods[location.Kind]; found {
			description.BearerMethods = append(description.BearerMethods, method)
		}
	}
	if enabled(b.DPoP) {
		description.DPoPAlgorithms = dpop.Algorithms()
		description.DPoPRequired = b.DPoP == bindingRequired
	}
	return description
}

// bearerMethods are the names of RFC 9728 §2 for the places of a token.
var bearerMethods = map[authn.LocationKind]string{
	authn.InHeader: "header", authn.InForm: "body", authn.InQuery: "query",
}

// UseStore gives the scheme the memory of used proofs and of revocations.
func (b *Bearer) UseStore(store store.Store) {
	b.store = store
	if b.proofs != nil {
		b.proofs.Replay = store
	}
}

var (
	_ capability.MetadataProvider = (*Bearer)(nil)
	_ capability.ProviderUser     = (*Bearer)(nil)
	_ store.User                  = (*Bearer)(nil)
)
