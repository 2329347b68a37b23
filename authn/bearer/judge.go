package bearer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
)

// checkIssuer compares `iss` code point by code point (RFC 8725 §3.8). It runs
// before the signature is checked, because it decides whose keys are asked.
func (b *Bearer) checkIssuer(t *token) error {
	if b.Issuer == "" {
		return nil
	}
	if issuer, _ := t.claims["iss"].(string); issuer != b.Issuer {
		return &authn.MismatchError{Reason: "iss is not the configured issuer", Expected: b.Issuer, Found: authn.Printable(t.claims["iss"])}
	}
	return nil
}

// checkHeader refuses an algorithm that is not accepted and a token that says
// it is something else than an access token (RFC 8725 §3.11).
func (b *Bearer) checkHeader(t *token) error {
	if len(b.Algorithms) > 0 && !slices.Contains(b.Algorithms, t.algorithm) {
		return fmt.Errorf("alg %s is not in the list of algorithms", t.algorithm)
	}
	kind, present := t.kind()
	name, _ := kind.(string)
	name = strings.TrimPrefix(strings.ToLower(name), "application/")
	switch {
	case name == profileAccessToken:
		return nil
	case b.Profile == profileAccessToken:
		return &authn.MismatchError{Reason: "typ is not at+jwt (RFC 9068 §4)", Found: authn.Printable(kind)}
	case !present || name == "jwt":
		return nil
	}
	return &authn.MismatchError{Reason: "typ is not that of an access token", Expected: "at+jwt, JWT or none", Found: authn.Printable(kind)}
}

// judge decides about a token whose signature is good. That it has expired is
// found last, because the client is told so only if all else is well.
//
// The gate may be known under an audience of its own.
func (b *Bearer) judge(t *token, r *authn.Request) authn.Outcome {
	trace := r.Trace
	audience, err := b.checkAudience(t, r)
	if trace.NoteFound("audience", err, func() string { return "aud " + shown(t.claims["aud"]) }) != nil {
		return authn.Reject(authn.CodeInvalidToken, err)
	}
	for _, check := range []struct {
		name string
		made func(*token) error
	}{{"kind", checkKind}, {"profile", b.checkProfile}, {"beginning", b.checkBeginning}} {
		if err := trace.Note(check.name, check.made(t)); err != nil {
			return authn.Reject(authn.CodeInvalidToken, err)
		}
	}
	expires, err := expiry(t)
	if err != nil {
		_ = trace.Note("expiry", err)
		return authn.Reject(authn.CodeInvalidToken, err)
	}
	identity, err := b.identify(t, expires)
	if trace.Note("identity", err) != nil {
		return authn.Reject(authn.CodeInvalidToken, err)
	}
	if err := trace.NoteFound("expiry", b.checkExpiry(expires), func() string { return "exp " + expires.UTC().Format(time.RFC3339) }); err != nil {
		return authn.Reject(authn.CodeExpiredToken, err)
	}
	t.audience = audience
	return authn.Accept(identity, authn.SourceLocal)
}

// checkAudience wants one of the configured audiences in `aud`, or that of the
// gate, which it returns as the token spells it if no other one is there: not
// every gate of a resource takes every spelling.
func (b *Bearer) checkAudience(t *token, r *authn.Request) (string, error) {
	if b.Audiences[0] == anyAudience {
		return "", nil
	}
	named, err := audiences(t.claims["aud"])
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(named, func(name string) bool { return slices.Contains(b.Audiences, name) }) {
		return "", nil
	}
	if meant := r.AudienceOf(named); meant != "" {
		return meant, nil
	}
	expected := b.Audiences
	if ofGate := r.GateAudience(); ofGate != "" {
		expected = append(slices.Clone(expected), ofGate)
	}
	return "", &authn.MismatchError{
		Reason: "aud names no configured audience", Expected: strings.Join(expected, " "), Found: authn.Printable(t.claims["aud"]),
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

// otherKinds are the claims that only tokens of other kinds have: ID tokens
// (OpenID Connect Core §2), logout tokens and security events (RFC 8417).
// What says that it is an access token by its type is believed instead.
var otherKinds = []string{"nonce", "at_hash", "c_hash", "s_hash", "events", "token_introspection"}

// accessClaims are claims of access tokens. Beside one of them a nonce is that of
// the login, which authentik and Azure AD B2C repeat in access tokens.
var accessClaims = []string{"scope", "scp", "azp", "uid", "client_id"}

func hasAccessClaim(t *token) bool {
	return slices.ContainsFunc(accessClaims, func(claim string) bool { return t.claims[claim] != nil && t.claims[claim] != "" })
}

// kindValues are claims by which providers tell their tokens apart: `typ` at
// Keycloak, `token_use` at Cognito and, in introspection answers, at Ory Hydra,
// and the values that access tokens have.
var kindValues = map[string][]string{
	"typ":       {"Bearer", "DPoP", "at+jwt", "JWT"},
	"token_use": {"access", "access_token"},
}

// checkKind refuses verified tokens that are no bearer access tokens.
func checkKind(t *token) error {
	if kind, _ := t.claims["token_type"].(string); t.introspected() && strings.Contains(strings.ToLower(kind), "refresh") {
		return errors.New("token_type says that this is a refresh token")
	}
	kind, _ := t.kind()
	if name, _ := kind.(string); strings.HasSuffix(strings.ToLower(name), profileAccessToken) {
		return nil
	}
	declared := false
	for claim, accepted := range kindValues {
		kind, ok := t.claims[claim].(string)
		if ok && !slices.Contains(accepted, kind) {
			return &authn.MismatchError{
				Reason:   fmt.Sprintf("the claim %s says that this is another kind of token", claim),
				Expected: strings.Join(accepted, " "), Found: authn.Printable(kind),
			}
		}
		declared = declared || ok && kind != "JWT" // which all of them are
	}
	if declared {
		return nil // Keycloak copies the nonce into access tokens too
	}
	for _, claim := range otherKinds {
		if _, present := t.claims[claim]; present && (claim != "nonce" || !hasAccessClaim(t)) {
			return fmt.Errorf("the claim %s belongs to another kind of token", claim)
		}
	}
	return nil
}

// checkProfile wants the claims that RFC 9068 §2.2 requires.
func (b *Bearer) checkProfile(t *token) error {
	if b.Profile != profileAccessToken || t.introspected() {
		return nil
	}
	for _, claim := range []string{"iss", "sub", "client_id", "jti"} {
		if value, _ := t.claims[claim].(string); value == "" {
			return fmt.Errorf("%s is missing or not a string (RFC 9068 §2.2)", claim)
		}
	}
	if _, present := t.claims["iat"]; !present {
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

// checkBeginning refuses tokens that are not valid yet.
func (b *Bearer) checkBeginning(t *token) error {
	for claim, leeway := range map[string]time.Duration{
		"nbf": max(b.skew, fineAhead),
		"iat": max(b.skew, maxIssuedAhead),
	} {
		if _, present := t.claims[claim]; !present {
			continue
		}
		begins, err := jose.NumericDate(t.claims, claim)
		if err != nil {
			return err
		}
		if now := b.now(); begins.After(now.Add(leeway)) {
			return &authn.MismatchError{Reason: claim + " is in the future", Off: begins.Sub(now)}
		}
	}
	return nil
}

// expiry is when a token ends. Only an issuer that is asked each time may leave
// it out (RFC 7662 §2.2).
func expiry(t *token) (time.Time, error) {
	if _, present := t.claims["exp"]; !present && t.introspected() {
		return time.Time{}, nil
	}
	return jose.NumericDate(t.claims, "exp")
}

// checkExpiry refuses a token that has ended; zero is one that does not say
// when it ends.
func (b *Bearer) checkExpiry(expires time.Time) error {
	if now := b.now(); !expires.IsZero() && !now.Before(expires.Add(b.skew)) {
		return &authn.MismatchError{Reason: "expired at " + expires.UTC().Format(time.RFC3339), Off: now.Sub(expires)}
	}
	return nil
}
