package bearer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/jose"
)

const (
	// anyAudience switches the check of `aud` off.
	anyAudience = "*"
	// profileAccessToken is the profile of RFC 9068.
	profileAccessToken = "at+jwt"
	// defaultSkew is the leeway of all time checks.
	defaultSkew = 30 * time.Second
)

// replacePlaceholders resolves what the configuration takes from the
// environment or from files. A placeholder without a value is refused: without
// the value a check would be left out, or the placeholder itself would be a secret.
func (b *Bearer) replacePlaceholders(replacer *caddy.Replacer) error {
	values := block.Values{"jwks": &b.JWKS, "ca_file": &b.CAFile, "jwks_token_file": &b.JWKSTokenFile}
	// In an issuer, the place of the tenant is no placeholder.
	issuer := strings.SplitN(b.Issuer, idp.TenantPlaceholder, 2)
	values.AddList("issuer, part", issuer)
	if i := b.Introspection; i != nil {
		values["introspection"], values["client_id"] = &i.Endpoint, &i.ClientID
		values["client_secret"], values["introspection key_file"] = &i.ClientSecret, &i.KeyFile
	}
	values.AddList("audience", b.Audiences)
	values.AddList("hmac_secret", b.HMACSecret)
	values.AddList("key_file", b.KeyFiles)
	err := values.Replace(replacer)
	b.Issuer = strings.Join(issuer, idp.TenantPlaceholder)
	return err
}

func (b *Bearer) setDefaults() {
	b.skew = defaultSkew
	if b.ClockSkew != nil {
		b.skew = time.Duration(*b.ClockSkew)
	}
	if len(b.TokenFrom) == 0 {
		b.TokenFrom = []authn.Location{authn.AuthorizationField}
	}
	for i, location := range b.TokenFrom {
		b.TokenFrom[i] = withDefaultName(location)
	}
	if b.UserClaim == "" {
		b.UserClaim = subjectClaim
	}
	if b.ClientClaims == nil {
		b.ClientClaims = []string{"client_id", "azp", "cid", "appid"}
	}
	if b.ScopeClaims == nil {
		b.ScopeClaims = []string{"scope", "scp"}
	}
	if b.RoleClaims == nil {
		b.RoleClaims = []string{"roles", "groups", "realm_access.roles"}
	}
}

// withDefaultName completes a place: the header is always Authorization, and
// RFC 6750 §2.2 and §2.3 name the parameters.
func withDefaultName(location authn.Location) authn.Location {
	switch {
	case location.Kind == authn.InHeader && location.Name == "":
		return authn.AuthorizationField
	case location.Kind == authn.InHeader:
		location.Name = http.CanonicalHeaderKey(location.Name)
	case location.Name == "" && location.Kind != authn.InWebSocket:
		location.Name = "access_token"
	}
	return location
}

// check reports what is wrong with the configuration. Placeholders pass: they
// are checked once they are replaced.
func (b *Bearer) check() error {
	for _, check := range []func() error{b.checkAudiences, b.checkTenants, b.checkKeys, b.checkAccess, b.checkRest} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bearer) checkAudiences() error {
	if len(b.Audiences) == 0 {
		return errors.New("bearer has no audience, so a token for any other service would be let in: add `audience <this API's identifier>`, or `audience *` if that is meant")
	}
	if slices.Contains(b.Audiences, anyAudience) && len(b.Audiences) > 1 {
		return errors.New("audience * makes the other audiences meaningless: write either")
	}
	if slices.Contains(b.Audiences, "") {
		return errors.New("an audience is empty: a placeholder may have no value")
	}
	return nil
}

func (b *Bearer) checkKeys() error {
	public := b.JWKS != "" || len(b.KeyFiles) > 0
	switch {
	case len(b.HMACSecret) > 0 && public:
		return errors.New("an HMAC secret beside public keys lets clients forge tokens with a public key: declare two schemes")
	case len(b.HMACSecret) > 0:
		for i, text := range b.HMACSecret {
			if slices.Contains(b.HMACSecret[:i], text) {
				return errors.New("hmac_secret: duplicate secret: keep one")
			}
			if _, err := jose.DecodeSecret(text); err != nil && !block.HasPlaceholder(text) {
				return err
			}
		}
	case !public && b.Issuer == "" && b.Introspection == nil:
		return errors.New("bearer has no keys: add `issuer <url>` for discovery, `jwks <url or file>`, `key_file <path>`, `hmac_secret <secret>` or `introspection <url>`")
	case !public && b.Issuer != "" && !block.HasPlaceholder(b.Issuer):
		if err := idp.InLine("issuer", idp.CheckIssuer(b.Issuer, b.AllowHTTP...)); err != nil {
			return err
		}
	}
	if isURL(b.JWKS) {
		return idp.CheckLine("jwks", b.JWKS, b.AllowHTTP)
	}
	return nil
}

func isURL(jwks string) bool { return strings.Contains(jwks, "://") }

func (b *Bearer) checkRest() error {
	if b.Introspection != nil {
		if err := b.Introspection.check(b.Issuer, b.AllowHTTP); err != nil {
			return err
		}
	}
	for _, algorithm := range b.Algorithms {
		if !jose.Supported(algorithm) {
			return fmt.Errorf("algorithm %q is not accepted: write some of %s", algorithm, strings.Join(jose.Algorithms(), " "))
		}
	}
	if b.Profile != "" && b.Profile != profileAccessToken {
		return fmt.Errorf("unknown profile %q: write %s", b.Profile, profileAccessToken)
	}
	if b.ClockSkew != nil && *b.ClockSkew < 0 {
		return errors.New("clock_skew must not be negative")
	}
	for _, location := range b.TokenFrom {
		if err := checkLocation(location); err != nil {
			return err
		}
	}
	locations := make([]authn.Location, len(b.TokenFrom))
	for i, location := range b.TokenFrom {
		locations[i] = withDefaultName(location)
	}
	if err := capability.CheckDistinct(locations); err != nil {
		return err
	}
	if err := checkBindingMode("dpop", b.DPoP); err != nil {
		return err
	}
	if b.DPoPNonce && !enabled(b.DPoP) {
		return errors.New("dpop_nonce needs `dpop optional` or `dpop required`")
	}
	if err := checkBindingMode("certificate_bound", b.CertificateBound); err != nil {
		return err
	}
	if err := authheader.CheckParameter("service", b.Service); err != nil {
		return err
	}
	return authheader.CheckParameter("realm", b.Realm)
}

// reservedFields cannot hold a token: gates, servers and browsers use them.
var reservedFields = []string{
	"Connection", "Content-Length", "Content-Type", "Cookie", "Dpop", "Expect", "Host", "Origin", "Sec-Websocket-Protocol", "Te",
	"Transfer-Encoding", "Upgrade",
}

func checkLocation(location authn.Location) error {
	location = withDefaultName(location)
	if location.Kind == authn.InHeader && slices.Contains(reservedFields, location.Name) {
		return fmt.Errorf("a token cannot be in the field %s, which has another meaning", location.Name)
	}
	return location.Check()
}
