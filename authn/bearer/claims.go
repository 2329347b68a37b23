package bearer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
)

// checkIssuer compares `iss` code point by code point (RFC 8725 §3.8). It runs
// before the signature is checked, because the issuer decides which keys count.
func (b *Bearer) checkIssuer(v *verification) error { return b.isIssuer(v.token) }

func (b *Bearer) isIssuer(t *token) error {
	if b.Issuer == "" {
		return nil
	}
	if !b.isOwnIssuer(t) {
		return &mismatch.ValueError{Reason: "iss is not the configured issuer", Expected: b.Issuer, Found: mismatch.Printable(t.early("iss"))}
	}
	return nil
}

// checkAudience requires one of the configured audiences in `aud`, or that of the
// gate. It keeps the spelling of the latter, because gates of one resource differ in
// the spellings that they accept.
func (b *Bearer) checkAudience(v *verification) error {
	if b.Audiences[0] == anyAudience {
		return nil
	}
	named, err := audiences(v.claims["aud"])
	if err != nil {
		return err
	}
	if slices.ContainsFunc(named, func(name string) bool { return slices.Contains(b.Audiences, name) }) {
		return nil
	}
	if v.audience = v.AudienceOf(named); v.audience != "" {
		return nil
	}
	expected := b.Audiences
	if ofGate := v.GateAudience(); ofGate != "" {
		expected = append(slices.Clone(expected), ofGate)
	}
	return &mismatch.ValueError{
		Reason: "aud names no configured audience", Expected: strings.Join(expected, " "), Found: mismatch.Printable(v.claims["aud"]),
	}
}

// audiences reads `aud`, a string or a list of strings (RFC 7519 §4.1.3).
func audiences(claim any) ([]string, error) {
	switch claim := claim.(type) {
	case nil:
		return nil, errors.New("aud is missing")
	case string:
		return []string{claim}, nil
	case []any:
		names := make([]string, 0, len(claim))
		for _, member := range claim {
			name, ok := member.(string)
			if !ok {
				return nil, errors.New("aud holds something else than strings")
			}
			names = append(names, name)
		}
		return names, nil
	default:
		return nil, errors.New("aud is neither a string nor a list")
	}
}

// checkTokenType refuses tokens that are not access tokens, and tokens that require an
// unknown proof.
func (b *Bearer) checkTokenType(v *verification) error {
	if err := b.checkKind(v.token); err != nil {
		return err
	}
	var err error
	v.bound, err = readConfirmation(v.claims)
	return err
}

// checkKind refuses verified tokens that are not access tokens.
func (b *Bearer) checkKind(t *token) error {
	if kind, _ := t.claims["token_type"].(string); t.introspected() && strings.Contains(strings.ToLower(kind), "refresh") {
		return errors.New("token_type says that this is a refresh token")
	}
	kind, _ := t.kind()
	if name, _ := kind.(string); strings.HasSuffix(strings.ToLower(name), profileAccessToken) {
		return nil
	}
	declared := false
	for _, kinds := range kindValues {
		claim, accepted := kinds.claim, kinds.accepted
		kind, ok := t.claims[claim].(string)
		if ok && !slices.Contains(accepted, kind) && !(b.AcceptIDTokens && slices.Contains(idTokenKinds, kind)) {
			return &mismatch.ValueError{
				Reason:   fmt.Sprintf("the claim %s says that this is another kind of token", claim),
				Expected: strings.Join(accepted, " "), Found: mismatch.Printable(kind),
			}
		}
		declared = declared || ok && kind != "JWT" // which all of them are
	}
	if declared {
		return nil // Keycloak copies the nonce into access tokens too
	}
	for _, claim := range otherKinds {
		if b.AcceptIDTokens && slices.Contains(idTokenClaims, claim) {
			continue
		}
		if _, present := t.claims[claim]; present && (claim != "nonce" || !hasAccessClaim(t)) {
			return fmt.Errorf("the claim %s belongs to another kind of token", claim)
		}
	}
	return nil
}

// otherKinds are the claims that only tokens of other kinds have: ID tokens
// (OpenID Connect Core §2), logout tokens and security events (RFC 8417). A type of
// access tokens in the header counts before them.
var otherKinds = []string{"nonce", "at_hash", "c_hash", "s_hash", "events", "token_introspection"}

// idTokenClaims are the claims of otherKinds that ID tokens have, and idTokenKinds the
// values of kindValues.
var (
	idTokenClaims = []string{"nonce", "at_hash", "c_hash", "s_hash"}
	idTokenKinds  = []string{"ID", "id"}
)

// accessClaims are claims of access tokens. Beside one of them a nonce is that of
// the login, which authentik and Azure AD B2C repeat in access tokens.
var accessClaims = []string{"scope", "scp", "azp", "uid", "client_id"}

func hasAccessClaim(t *token) bool {
	return slices.ContainsFunc(accessClaims, func(claim string) bool { return t.claims[claim] != nil && t.claims[claim] != "" })
}

// kindValues are claims that name the kind of a token, with the values of access
// tokens. Keycloak uses `typ`. Cognito uses `token_use`, and so does Ory Hydra in
// introspection answers.
var kindValues = []struct {
	claim    string
	accepted []string
}{
	{"typ", []string{"Bearer", "DPoP", "at+jwt", "JWT"}},
	{"token_use", []string{"access", "access_token"}},
}

// checkProfile requires the claims that RFC 9068 §2.2 requires.
func (b *Bearer) checkProfile(v *verification) error {
	if b.Profile != profileAccessToken {
		return nil
	}
	for _, claim := range []string{"iss", "sub", "client_id", "jti"} {
		if value, _ := v.claims[claim].(string); value == "" {
			return fmt.Errorf("%s is missing or not a string (RFC 9068 §2.2)", claim)
		}
	}
	if _, present := v.claims["iat"]; !present {
		return errors.New("iat is missing (RFC 9068 §2.2)")
	}
	return nil
}

const (
	// fineAhead is how far ahead the clock of an issuer may always be.
	fineAhead = 10 * time.Second
	// maxIssuedAhead is from when on a token is from the future.
	maxIssuedAhead = time.Minute
)

// checkNotBefore refuses tokens that are not valid yet.
func (b *Bearer) checkNotBefore(v *verification) error {
	return cmp.Or(
		b.checkBegin(v, "nbf", max(b.skew, fineAhead)),
		b.checkBegin(v, "iat", max(b.skew, maxIssuedAhead)),
	)
}

func (b *Bearer) checkBegin(v *verification, claim string, leeway time.Duration) error {
	if _, present := v.claims[claim]; !present {
		return nil
	}
	begins, err := jose.NumericDate(v.claims, claim)
	if err != nil {
		return err
	}
	if now := b.now(); begins.After(now.Add(leeway)) {
		return &mismatch.ValueError{Reason: claim + " is in the future", Off: begins.Sub(now)}
	}
	return nil
}

// checkExpiry refuses an expired token. An answer without `exp` does not expire.
func (b *Bearer) checkExpiry(v *verification) error {
	expires, err := expiry(v.token)
	if err != nil {
		return err
	}
	v.identity.Expires = expires
	if now := b.now(); !expires.IsZero() && !now.Before(expires.Add(b.skew)) {
		return expiredError{&mismatch.ValueError{Reason: "expired at " + expires.UTC().Format(time.RFC3339), Off: now.Sub(expires)}}
	}
	return nil
}

// expiry is when a token expires. Only an introspection answer may leave it out (RFC
// 7662 §2.2).
func expiry(t *token) (time.Time, error) {
	if _, present := t.claims["exp"]; !present && t.introspected() {
		return time.Time{}, nil
	}
	return jose.NumericDate(t.claims, "exp")
}
