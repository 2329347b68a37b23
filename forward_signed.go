package requireauth

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/claimpath"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/fieldname"
	"github.com/excorp/caddy-require-auth/internal/signer"
)

// SignedIdentity is the identity of a caller as a short JWT that an upstream verifies.
type SignedIdentity struct {
	// The audience of the JWT: its `aud`. The upstream must compare it. Required.
	Audiences []string `json:"audiences,omitempty"`

	// The claims of the caller's credential that the JWT repeats, by their paths, such as
	// `email` or `realm_access.roles`. `roles` are the roles as the gate reads them, if
	// there is no claim of that name. Default: none.
	Claims []string `json:"claims,omitempty"`

	// The lifetime of the JWT, from 10s to 10m. It never outlasts the credential by more
	// than 10s. The same JWT is used until a quarter of this time is left. Default: 60s.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// The `iss` of the JWT. Default: the origin by which the client called the site, such
	// as `https://api.example.com`.
	Issuer string `json:"issuer,omitempty"`
}

// defaultTTL is how long a JWT lasts unless it is configured.
const defaultTTL = time.Minute

// ownClaims are the claims that the gate sets itself, or that would change what the JWT
// means.
var ownClaims = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "scope", "client_id", "act", "idp", "cnf"}

// checkSignedIdentities reports what is wrong with the configured fields.
func checkSignedIdentities(configured map[string]*SignedIdentity, plain map[string]string) error {
	names := slices.Sorted(maps.Keys(configured))
	for _, name := range names {
		if identity := configured[name]; identity == nil {
			return fmt.Errorf("forward_signed %s: write an `audience`", name)
		} else if err := identity.check(); err != nil {
			return fmt.Errorf("forward_signed %s: %w", name, err)
		}
	}
	return checkFieldNames("forward_signed", names, slices.Sorted(maps.Keys(plain)))
}

func (s *SignedIdentity) check() error {
	if len(s.Audiences) == 0 {
		return errors.New("write an `audience`, such as the URL of the upstream: without one, every service that gets a JWT could use it at the others")
	}
	for _, text := range slices.Concat(s.Audiences, s.Claims, []string{s.Issuer}) {
		if block.HasPlaceholder(text) {
			return fmt.Errorf("%s: nothing replaces a placeholder here: write {$NAME} in a Caddyfile for a variable of the environment", text)
		}
	}
	if slices.Contains(s.Audiences, "") || slices.Contains(s.Claims, "") {
		return errors.New("an audience or a claim is empty")
	}
	for i, claim := range s.Claims {
		if slices.Contains(ownClaims, claim) {
			return fmt.Errorf("claims: the gate itself sets %s where there is one", claim)
		}
		if slices.Contains(s.Claims[:i], claim) {
			return fmt.Errorf("claims: duplicate %s", claim)
		}
	}
	if ttl := time.Duration(s.TTL); ttl != 0 && (ttl < signer.MinTTL || ttl > signer.MaxTTL) {
		return fmt.Errorf("ttl %s: write a duration from %s to %s", ttl, signer.MinTTL, signer.MaxTTL)
	}
	return nil
}

// readForwardSigned reads the line `forward_signed`.
func (g *RequireAuth) readForwardSigned(d *caddyfile.Dispenser) error {
	start := block.Here(d)
	var name string
	if !d.AllArgs(&name) {
		return d.Err("write `forward_signed <field> { audience <id> }`")
	}
	if g.ForwardSigned[name] != nil {
		return d.Errf("duplicate forward_signed %s: keep one", name)
	}
	identity := new(SignedIdentity)
	if err := block.Read(d, block.Lines{
		"audience": block.Strings(&identity.Audiences),
		"claims":   block.Strings(&identity.Claims),
		"ttl":      block.Duration(&identity.TTL),
		"issuer":   block.String(&identity.Issuer),
	}); err != nil {
		return err
	}
	if g.ForwardSigned == nil {
		g.ForwardSigned = make(map[string]*SignedIdentity)
	}
	g.ForwardSigned[name] = identity
	return start.Wrap(checkSignedIdentities(g.ForwardSigned, g.Forward))
}

// provisionSigned prepares the signed fields of a gate.
func (g *RequireAuth) provisionSigned() error {
	for _, name := range slices.Sorted(maps.Keys(g.ForwardSigned)) {
		if g.app.findsCredentialIn(fieldname.Fold(name)) {
			return fmt.Errorf("forward_signed %s: schemes look for a credential in this field: write another one, such as X-Identity", name)
		}
		signing, err := g.app.openSigner()
		if err != nil {
			return err
		}
		configured := *g.ForwardSigned[name]
		if configured.TTL == 0 {
			configured.TTL = caddy.Duration(defaultTTL)
		}
		g.forward.signed = append(g.forward.signed, signedField{http.CanonicalHeaderKey(name), configured, signing})
		g.forward.names = append(g.forward.names, fieldname.Fold(name))
	}
	return nil
}

// signedField is a field with a JWT.
type signedField struct {
	name       string
	configured SignedIdentity
	signer     *signer.Signer
}

// value signs the identity of a caller.
func (f signedField) value(r *http.Request, caller *authn.Identity) (string, error) {
	claims := f.claims(r, caller)
	if act, _ := caller.Claim("act"); act != nil {
		// Without its actor the JWT would say that the user acts, so it must not be left out.
		actor, ok := act.(map[string]any)
		if !ok {
			return "", errors.New("the claim act is not an object (RFC 8693 §4.1)")
		}
		claims["act"] = actor
	}
	return f.signer.Sign(claims, time.Duration(f.configured.TTL), caller.Expires)
}

// claims are what the JWT says, apart from its times. A client that acts for itself has no
// `sub`: its ID could be the name of a user.
func (f signedField) claims(r *http.Request, caller *authn.Identity) map[string]any {
	claims := map[string]any{"iss": f.configured.Issuer, "aud": f.configured.Audiences}
	if f.configured.Issuer == "" {
		claims["iss"] = clientaddress.OriginOf(r)
	}
	if len(f.configured.Audiences) == 1 {
		claims["aud"] = f.configured.Audiences[0]
	}
	for name, value := range map[string]string{
		"sub": caller.ID, "client_id": caller.Client, "idp": caller.Issuer, "scope": strings.Join(caller.Scopes, " "),
	} {
		if value != "" {
			claims[name] = value
		}
	}
	for _, path := range f.configured.Claims {
		if value, present := caller.Claim(path); present && value != nil && claimpath.Exact(value) {
			claims[path] = value
		} else if path == "roles" && len(caller.Roles) > 0 {
			claims[path] = caller.Roles
		}
	}
	return claims
}

// setSigned sets the fields with a JWT. A field that cannot be signed is left out: an
// upstream without it grants nothing.
func (g *RequireAuth) setSigned(r *http.Request, state *requestState) {
	for _, field := range g.forward.signed {
		value, err := field.value(r, state.identity)
		if err != nil {
			g.logger.Error("no signed identity", zap.String("field", field.name), zap.String("trace_id", state.traceID(g.app)), zap.Error(err))
			continue
		}
		r.Header[field.name] = []string{value}
		state.forwarded = append(state.forwarded, forwardedField{field.name, value})
	}
}
