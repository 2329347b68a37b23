package bearer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/claimpath"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/internal/mismatch"
)

// checks are what a token has to pass, in this order. Their names are what
// `explain` prints and what the log says.
//
// Expiry is last, because the client hears of it only if all else is well.
var checks = []struct {
	name  string
	of    form
	check func(*Bearer, *verification) error
	found func(*verification) string // what `explain` shows beside the result
}{
	{"format", anyForm, (*Bearer).checkFormat, nil},
	{"issuer", signed, (*Bearer).checkIssuer, func(v *verification) string { return "iss " + shown(v.claims["iss"]) }},
	{"header", signed, (*Bearer).checkHeader, func(v *verification) string { return "alg " + v.algorithm }},
	{"signature", signed, (*Bearer).checkSignature, (*verification).foundKey},
	{"introspection", opaque, (*Bearer).checkIntrospection, func(v *verification) string { return fmt.Sprintf("active %t", v.claims != nil) }},
	{"audience", anyForm, (*Bearer).checkAudience, func(v *verification) string { return "aud " + shown(v.claims["aud"]) }},
	{"token_type", anyForm, (*Bearer).checkTokenType, nil},
	{"profile", signed, (*Bearer).checkProfile, nil},
	{"not_before", anyForm, (*Bearer).checkNotBefore, nil},
	{"identity", anyForm, (*Bearer).identify, nil},
	{"expiry", anyForm, (*Bearer).checkExpiry, func(v *verification) string { return "exp " + v.identity.Expires.UTC().Format(time.RFC3339) }},
}

// form says which tokens a check is for: signed ones, or opaque ones, which only
// the introspection endpoint can read.
type form int

const (
	anyForm form = iota
	signed
	opaque
)

// verification is a token on its way through the checks.
type verification struct {
	*authn.Request
	ctx        context.Context
	credential authn.Credential
	key        cacheKey
	keys       uint64 // the fingerprint of the keys when the checks began

	// The checks set these.
	*token
	source   authn.Source
	audience string // that of the gate, if the token is good only there
	bound    confirmation
	identity *authn.Identity
}

// runChecks runs the checks. It stops at the first error.
func (b *Bearer) runChecks(ctx context.Context, r *authn.Request, credential authn.Credential, key cacheKey, keys uint64) (*cachedToken, authn.Outcome) {
	v := &verification{Request: r, ctx: ctx, credential: credential, key: key, keys: keys, source: authn.SourceLocal}
	for step := range checks {
		check := &checks[step]
		if check.of == signed && v.introspected() || check.of == opaque && !v.introspected() {
			continue
		}
		err := check.check(b, v)
		found := func() string {
			if check.found == nil {
				return ""
			}
			return check.found(v)
		}
		if r.Trace.NoteFound(check.name, err, found) != nil {
			return nil, b.refuse(v, step, err)
		}
	}
	entry := b.newCachedToken(v)
	if !v.introspected() {
		b.remember(v, entry)
	}
	return entry, authn.Accept(v.identity, v.source)
}

// undecidedError means that a check could not be made.
type undecidedError struct {
	error
	tried bool // the keys at hand, which need not be tried again at once
}

func (u undecidedError) Unwrap() error { return u.error }

// expiredError means that a token was good once.
type expiredError struct{ *mismatch.ValueError }

func (e expiredError) Unwrap() error { return e.ValueError }

// refuse returns the outcome of a check that failed. Another scheme of the gate may
// accept a token that this scheme cannot read, or that belongs to another issuer.
// Where no issuer is configured, only the signature shows whose token it is.
func (b *Bearer) refuse(v *verification, step int, err error) authn.Outcome {
	check := &checks[step]
	outcome := authn.Reject(authn.CodeInvalidToken, err)
	outcome.Source = v.source
	undecided, isUndecided := errors.AsType[undecidedError](err)
	if isUndecided {
		outcome = authn.Unavailable(0, err)
		if unavailable, ok := errors.AsType[*idp.UnavailableError](err); ok {
			outcome.RetryAfter = unavailable.RetryAfter
		}
	} else if _, expired := errors.AsType[expiredError](err); expired {
		outcome.Code = authn.CodeExpiredToken
	} else if errors.Is(err, authn.ErrTooLarge) {
		outcome.Code = authn.CodeInvalidRequest
	} else if check.of == opaque || check.name == "format" || check.name == "issuer" || check.of == signed && b.Issuer == "" {
		outcome.Verdict = authn.NotApplicable
	}
	outcome.Check, outcome.Progress = check.name, step
	ofText := b.remote == nil && check.name == "format" || check.of == signed && check.name != "profile"
	if ofText && isUndecided == undecided.tried && !errors.Is(err, errNoKey) {
		b.rememberRefusal(v, outcome)
	}
	return outcome
}

// token is a token taken apart. Before it is verified its claims must not be
// used for anything but finding out whose it says it is.
type token struct {
	signed *jose.JWS // nil if its issuer was asked instead
	claims map[string]any

	algorithm string
	keyID     string
}

// introspected reports whether the claims are the answer of the issuer.
func (t *token) introspected() bool { return t.signed == nil }

// literal returns a number among the claims as it is written: decoded, one with many
// digits or a fraction is not what it was.
func (t *token) literal(path string) (string, error) {
	if t.introspected() {
		return "", fmt.Errorf("%s is a number that is not exact: the answer must have it as a string", path)
	}
	value, _ := claimpath.Lookup(t.signed.Numbers(), path)
	number, ok := value.(json.Number)
	if !ok {
		return "", fmt.Errorf("%s is not a number", path)
	}
	return number.String(), nil
}

// kind is the `typ` of the header.
func (t *token) kind() (value any, present bool) {
	if t.introspected() {
		return nil, false
	}
	value, present = t.signed.Header["typ"]
	return value, present
}

// reader knows the members that this package gives a meaning to.
var reader = jose.Reader{
	SameHeaders: true,

	Header: []string{"alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c"},
	Claims: []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "scope", "scp", "client_id", "azp", "cnf", "typ"},
}

// checkFormat reads a signed token. With introspection, a token that is not signed
// is an opaque one.
func (b *Bearer) checkFormat(v *verification) (err error) {
	text := v.credential.Value
	if b.remote == nil || len(b.keys) > 0 {
		if v.token, err = parse(text); err == nil || b.remote == nil {
			return err
		}
	}
	v.token = new(token)
	switch {
	case len(text) > authn.MaxCredential:
		return authn.ErrTooLarge
	case v.credential.Location == authn.AuthorizationField && !authheader.IsToken68(text):
		// An endpoint may read a token into such a text all the same, and a
		// firewall before the endpoint may take it for an attack.
		return errNotBearer
	}
	return nil
}

// parse takes a signed token apart. Of its header only alg and kid are used:
// jku, jwk, x5u and x5c are ignored, because keys come from the configuration.
func parse(text string) (*token, error) {
	if len(text) > authn.MaxCredential {
		return nil, authn.ErrTooLarge
	}
	signed, err := reader.Parse(text)
	switch {
	case err == nil:
	case strings.ContainsAny(text, " \t"):
		return nil, errSpace
	case jose.IsEncrypted(text):
		return nil, errEncrypted
	default:
		return nil, err
	}
	t := &token{signed: signed, claims: signed.Claims}
	var ok bool
	if t.algorithm, ok = signed.Header["alg"].(string); !ok || !jose.Supported(t.algorithm) {
		return nil, errors.New("header: alg is missing or not supported")
	}
	if kid, present := signed.Header["kid"]; present {
		if t.keyID, ok = kid.(string); !ok {
			return nil, errors.New("header: kid is not a string")
		}
	}
	return t, nil
}

var (
	errNotBearer    = errors.New("not the form of credentials in the Authorization field (RFC 6750 §2.1)")
	errNoKey        = errors.New("no key of the issuer fits kid and alg")
	errNoSecret     = fmt.Errorf("%w: the token is signed with a secret, and this scheme has public keys", errNoKey)
	errBadSignature = errors.New("the signature fits no key")
	errGraph        = errors.New("the signature fits no key: the header has a nonce, as tokens for Microsoft Graph do, which only Graph can verify; request a token with a scope of this API")
	errEncrypted    = errors.New("the token is encrypted (JWE): have the provider issue signed access tokens; Auth0 does so where the client names an audience")
	errSpace        = errors.New("the token has a space in it: is the word Bearer in the field twice?")
)

// checkIssuer compares `iss` code point by code point (RFC 8725 §3.8). It runs
// before the signature is checked, because it decides whose keys are asked.
func (b *Bearer) checkIssuer(v *verification) error { return b.isIssuer(v.token) }

func (b *Bearer) isIssuer(t *token) error {
	if b.Issuer == "" {
		return nil
	}
	if !b.isOwnIssuer(t.claims) {
		return &mismatch.ValueError{Reason: "iss is not the configured issuer", Expected: b.Issuer, Found: mismatch.Printable(t.claims["iss"])}
	}
	return nil
}

// checkHeader refuses an algorithm that is not accepted and a token that says
// it is something else than an access token (RFC 8725 §3.11).
func (b *Bearer) checkHeader(v *verification) error {
	if len(b.Algorithms) > 0 && !slices.Contains(b.Algorithms, v.algorithm) {
		return fmt.Errorf("alg %s is not in the list of algorithms", v.algorithm)
	}
	kind, present := v.kind()
	name, _ := kind.(string)
	name = strings.TrimPrefix(strings.ToLower(name), "application/")
	switch {
	case name == profileAccessToken:
		return nil
	case b.Profile == profileAccessToken:
		return &mismatch.ValueError{Reason: "typ is not at+jwt (RFC 9068 §4)", Found: mismatch.Printable(kind)}
	case !present || name == "jwt":
		return nil
	}
	return &mismatch.ValueError{Reason: "typ is not that of an access token", Expected: "at+jwt, JWT or none", Found: mismatch.Printable(kind)}
}

// checkSignature verifies the signature with the keys of the issuer. With
// introspection, the endpoint decides about a token whose key is not published.
func (b *Bearer) checkSignature(v *verification) error {
	unavailable, err := b.keys.check(v.ctx, v.key.digest, v.token, func(keys []*keyset.Key) error {
		if keys = b.forIssuer(v.token, keys); len(keys) == 0 {
			return errOtherTenant
		}
		return verifyOnce(v, keys)
	})
	if errors.Is(err, errNoKey) && strings.HasPrefix(v.algorithm, "HS") && len(b.HMACSecret) == 0 {
		err = errNoSecret
	}
	switch {
	case errors.Is(err, errNoKey) && b.remote != nil:
		v.token = new(token)
		return nil
	case unavailable != nil:
		return undecidedError{unavailable, errors.Is(err, errBadSignature)}
	}
	return b.diagnose(v.token, err)
}

// flights are the signatures being checked, by token and keys.
var flights singleflight.Group

// verifyOnce checks a signature. Requests that come with the same new token at the
// same time share one check: a page that loads asks for many things at once.
//
// The keys are told apart by their address, and not by their fingerprint. The
// fingerprint is zero for all schemes whose keys were not there yet when the
// request began, and a signature by the keys of one scheme is worth nothing to
// another (RFC 8725 §3.8).
func verifyOnce(v *verification, keys []*keyset.Key) error {
	t := v.token
	_, err, _ := flights.Do(fmt.Sprintf("%s %p", v.key.digest[:], keys), func() (any, error) { return nil, t.verify(keys) })
	return err
}

// verify checks the signature with each key that fits.
func (t *token) verify(keys []*keyset.Key) error {
	failure := errNoKey
	for _, key := range keys {
		if !key.Allows(t.algorithm) {
			continue
		}
		if t.signed.Verify(t.algorithm, key.Public) == nil {
			return nil
		}
		failure = errBadSignature
	}
	return failure
}

// diagnose says of a signature that was not found good why it cannot be.
func (b *Bearer) diagnose(t *token, failure error) error {
	if _, hashed := t.signed.Header["nonce"]; hashed && errors.Is(failure, errBadSignature) {
		return errGraph
	}
	if t.keyID == "" || !errors.Is(failure, errNoKey) {
		return failure
	}
	for _, origin := range b.origins {
		if why := origin.keys.All().WhySkipped(t.keyID); why != "" {
			return fmt.Errorf("%w: the published key cannot be used: %s", failure, why)
		}
	}
	return failure
}

// maxShown bounds what an explanation repeats of a claim, in bytes.
const maxShown = 200

// shown is a claim for an explanation.
func shown(claim any) string {
	text, err := json.Marshal(claim)
	if err != nil || len(text) > maxShown {
		return "of some length"
	}
	return string(text)
}

// foundKey says which key the token names.
func (v *verification) foundKey() string {
	switch {
	case v.introspected():
		return "no published key fits, so the introspection endpoint decides"
	case v.keyID == "":
		return "no kid"
	}
	return "kid " + shown(v.keyID)
}

// checkIntrospection asks the issuer about an opaque token. The claims in the
// answer are checked like those of a signed token.
func (b *Bearer) checkIntrospection(v *verification) error {
	answer, err := b.remote.Introspect(v.ctx, v.credential.Value, func() string { return clientaddress.NetworkOf(v.Request.Request) })
	if err != nil {
		return undecidedError{error: err}
	}
	v.source = authn.SourceRemote
	if answer.FromCache {
		v.source = authn.SourceCache
	}
	if !answer.Active {
		return errInactive
	}
	v.claims = answer.Claims
	if _, named := v.claims["iss"]; named {
		return b.isIssuer(v.token)
	}
	return nil
}

var errInactive = errors.New("the issuer says that the token is not active")

// checkAudience wants one of the configured audiences in `aud`, or that of the
// gate. It keeps the spelling of the latter, because not every gate of a resource
// takes every spelling.
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

// otherKinds are the claims that only tokens of other kinds have: ID tokens
// (OpenID Connect Core §2), logout tokens and security events (RFC 8417).
// What says that it is an access token by its type is believed instead.
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

// kindValues are claims by which providers tell their tokens apart: `typ` at
// Keycloak, `token_use` at Cognito and, in introspection answers, at Ory Hydra,
// and the values that access tokens have.
var kindValues = map[string][]string{
	"typ":       {"Bearer", "DPoP", "at+jwt", "JWT"},
	"token_use": {"access", "access_token"},
}

// checkTokenType refuses tokens that are not bearer access tokens, and tokens that
// ask for a proof that this package does not know.
func (b *Bearer) checkTokenType(v *verification) error {
	if err := b.checkKind(v.token); err != nil {
		return err
	}
	var err error
	v.bound, err = readConfirmation(v.claims)
	return err
}

// checkKind refuses verified tokens that are not bearer access tokens.
func (b *Bearer) checkKind(t *token) error {
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

// checkProfile wants the claims that RFC 9068 §2.2 requires.
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
	for claim, leeway := range map[string]time.Duration{
		"nbf": max(b.skew, fineAhead),
		"iat": max(b.skew, maxIssuedAhead),
	} {
		if _, present := v.claims[claim]; !present {
			continue
		}
		begins, err := jose.NumericDate(v.claims, claim)
		if err != nil {
			return err
		}
		if now := b.now(); begins.After(now.Add(leeway)) {
			return &mismatch.ValueError{Reason: claim + " is in the future", Off: begins.Sub(now)}
		}
	}
	return nil
}

// identify makes an identity of verified claims.
//
// A token that a client got for itself, whose subject is the client, names no
// user: otherwise a client that registers under the name of a user would be
// taken for them (RFC 9700 §4.15).
func (b *Bearer) identify(v *verification) error {
	identity := &authn.Identity{
		Claims: authn.ClaimsOf(v.claims),
		Scopes: scopesIn(v.claims, b.ScopeClaims),
		Roles:  rolesIn(v.claims, b.RoleClaims),
	}
	v.identity = identity
	issuer, _ := v.claims["iss"].(string)
	identity.Issuer = cmp.Or(issuer, b.Issuer) // an answer need not say whose it is (RFC 7662 §2.2)
	user, err := b.user(v.token)
	if user == "" && err == nil && v.introspected() && b.UserClaim == subjectClaim {
		user, err = name(v.claims, "username") // RFC 7662 §2.2: for people, and often of their own choice
	}
	if err != nil {
		return err
	}
	client := b.client(v.claims)
	if subject, _ := v.claims["sub"].(string); client != "" && client == subject {
		identity.Client = client
		return nil
	}
	identity.ID, identity.Client = user, client
	return nil
}

// user reads the claim that names the user. Some issuers number their users: such a
// number is the user as it is written, to the last digit. A `sub` is always a string
// (RFC 7519 §4.1.2).
func (b *Bearer) user(t *token) (string, error) {
	value, _ := claimpath.Lookup(t.claims, b.UserClaim)
	switch value := value.(type) {
	case int64:
		if b.UserClaim != subjectClaim {
			return strconv.FormatInt(value, 10), nil
		}
	case float64:
		if b.UserClaim != subjectClaim {
			return t.literal(b.UserClaim)
		}
	}
	return name(t.claims, b.UserClaim)
}

// subjectClaim names the user unless another claim is configured to.
const subjectClaim = "sub"

// name reads the claim that names the user. It must be a string (RFC 7519
// §4.1.2) that can stand in a log and in a header field.
func name(claims map[string]any, path string) (string, error) {
	value, present := claimpath.Lookup(claims, path)
	if !present {
		return "", nil
	}
	text, ok := value.(string)
	if !ok {
		return "", fmt.Errorf("%s is not a string", path)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", fmt.Errorf("%s holds a control character", path)
	}
	return text, nil
}

// scopesIn gathers the scopes of a token. Only a space separates them (RFC 6749
// §3.3): with a tab or a no-break space an issuer has written one scope, and not
// two. What is no scope-token is none, so that what upstreams are told, joined by
// spaces, does not read as more than was granted.
func scopesIn(claims map[string]any, paths []string) []string {
	all := collect(claims, paths, func(text string) []string { return strings.Split(text, " ") })
	return slices.DeleteFunc(all, func(scope string) bool { return !authheader.IsScopeToken(scope) })
}

// rolesIn gathers the roles of a token. Zitadel writes an object with a member for each
// role, whose value is an object as well.
func rolesIn(claims map[string]any, paths []string) []string {
	all := collect(claims, paths, func(role string) []string { return []string{role} })
	for _, path := range paths {
		value, _ := claimpath.Lookup(claims, path)
		members, _ := value.(map[string]any)
		for _, role := range slices.Sorted(maps.Keys(members)) {
			if _, ok := members[role].(map[string]any); ok {
				all = append(all, role)
			}
		}
	}
	return all
}

// client reads the first of the client claims that has a value.
func (b *Bearer) client(claims map[string]any) string {
	for _, claim := range b.ClientClaims {
		value, _ := claimpath.Lookup(claims, claim)
		if client, _ := value.(string); client != "" {
			return client
		}
	}
	return ""
}

// collect gathers strings from several claims: from lists each member, from a
// string what split makes of it. Anything else counts as absent, which denies.
func collect(claims map[string]any, paths []string, split func(string) []string) []string {
	var all []string
	for _, path := range paths {
		switch value, _ := claimpath.Lookup(claims, path); value := value.(type) {
		case string:
			all = append(all, split(value)...)
		case []any:
			for _, member := range value {
				if text, ok := member.(string); ok {
					all = append(all, text)
				}
			}
		}
	}
	return all
}

// expiry is when a token ends. Only an issuer that is asked each time may leave
// it out (RFC 7662 §2.2).
func expiry(t *token) (time.Time, error) {
	if _, present := t.claims["exp"]; !present && t.introspected() {
		return time.Time{}, nil
	}
	return jose.NumericDate(t.claims, "exp")
}

// checkExpiry refuses a token that has ended. An answer without `exp` has not.
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
