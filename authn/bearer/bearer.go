// Package bearer is the scheme of bearer tokens (RFC 6750) in the form of
// signed JWTs (RFC 7519).
package bearer

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/dpop"
	"github.com/excorp/caddy-require-auth/internal/introspection"
	"github.com/excorp/caddy-require-auth/store"
)

func init() {
	caddy.RegisterModule(new(Bearer))
}

// Bearer lets callers in by a signed token, a JWT in compact form.
//
// A token is valid if a key of the issuer verifies its signature, with an algorithm to
// which the key is pinned. `aud` must name this API, and `exp` must be in the future.
// The token must be an access token: the scheme refuses ID tokens, logout tokens and
// DPoP proofs. A token that is bound to a key or a certificate also needs a proof of
// possession.
//
// Keys come from the issuer by discovery (RFC 8414, OpenID Connect) unless `jwks`,
// `key_files` or `hmac_secret` names them. The provider may be down when Caddy starts.
// Until the first key set arrives, requests with a token get 503. A 401 would make
// clients discard valid tokens. The last good key set stays in use while the provider
// is down.
type Bearer struct {
	// The realm in the challenge; `off` sends none. Default: the realm of the
	// app.
	Realm string `json:"realm,omitempty"`

	// The parameter `service` of the Bearer challenge. Clients of a container
	// registry send it to the token server, whose URL is the realm. Default:
	// none.
	Service string `json:"service,omitempty"`

	// The issuer: the exact value of `iss`, compared code point by code point.
	// It distinguishes several bearer schemes of one gate. Default: any
	// issuer, which is only sensible where the keys belong to one.
	Issuer string `json:"issuer,omitempty"`

	// The audiences, one of which `aud` must name. `*` alone accepts tokens
	// that were issued for any other service too; it must be written to be
	// meant.
	Audiences []string `json:"audiences,omitempty"`

	// The URL or the file of a JWK Set with the keys. A file is read again whenever it
	// changes. Default: by discovery from the issuer.
	JWKS string `json:"jwks,omitempty"`

	// A file with the bearer token for the URL in `jwks`, read for each fetch, such as
	// that of a Kubernetes service account. It is sent to that URL only, and only with
	// TLS. Default: none.
	JWKSTokenFile string `json:"jwks_token_file,omitempty"`

	// A file with PEM certificates of authorities, trusted beside those of the system
	// for every fetch of this scheme: metadata, keys, introspection. It is read again
	// when it changes; a file that breaks is logged, and the last good one stays.
	CAFile string `json:"ca_file,omitempty"`

	// The hosts that may be reached without TLS, such as those of a container network.
	// An attacker who changes that traffic can forge tokens. Each must be in use. Default:
	// none but this machine.
	AllowHTTP []string `json:"allow_http,omitempty"`

	// The accepted tenants if the issuer is a template with `{tenantid}` (Microsoft Entra
	// ID). `iss` is then the template with the tenant in `tid`. `*` alone accepts every
	// tenant, so everyone with an account anywhere. Required with a template, and an error
	// without one.
	Tenants []string `json:"tenants,omitempty"`

	// Files with a PEM public key or certificate, a JWK or a JWK Set, read
	// again whenever they change.
	KeyFiles []string `json:"key_files,omitempty"`

	// The secret for HS256, at least 32 bytes. HS384 needs 48 and HS512 64. It cannot be
	// combined with public keys. Everyone who can verify such tokens can also
	// sign them. Placeholders such as `{env.JWT_SECRET}` are replaced at load.
	// A list has the secrets of a rotation: a token may be signed with any of them. A
	// secret that begins with `base64:` is decoded, and then has to have 32 bytes.
	HMACSecret block.Secrets `json:"hmac_secret,omitempty"`

	// The algorithms that are accepted, out of RS256, RS384, RS512, PS256,
	// PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519, HS256, HS384, HS512.
	// Default: what the keys allow.
	Algorithms []string `json:"algorithms,omitempty"`

	// The allowed difference between the clocks of issuer and server. Default: 30s.
	ClockSkew *caddy.Duration `json:"clock_skew,omitempty"`

	// `at+jwt` demands what RFC 9068 demands of an access token: the type, and
	// the claims iss, exp, aud, sub, client_id, iat and jti.
	Profile string `json:"profile,omitempty"`

	// The locations of a token. Default: the Authorization header field. In another header
	// field, such as Cf-Access-Jwt-Assertion or X-Goog-IAP-JWT-Assertion, it is alone or
	// after `Bearer `. A cookie may be split as `<name>.0`, `<name>.1` and so on. With
	// `websocket` the token follows the subprotocol `bearer`.
	//
	// The same token in two locations is one; two different tokens are answered 400. A
	// token that a browser sends without a script needs a safe method or a request of
	// this site. One from a query parameter or a subprotocol is never forwarded.
	TokenFrom []authn.Location `json:"token_from,omitempty"`

	// Accepts ID tokens (OpenID Connect Core §2) as access tokens, for providers that
	// issue no others, such as Dex, Kakao, LINE or gcloud. An ID token says who logged in
	// to a client, not what the client may do here. So its audience must be configured for
	// this API. Default: off, as RFC 8725 §3.11 wants.
	AcceptIDTokens bool `json:"accept_id_tokens,omitempty"`

	// The claims that name the client, of which the first with a value counts.
	// Default: client_id, azp, cid, appid.
	ClientClaims []string `json:"client_claims,omitempty"`

	// The claim that names the user. Default: sub, or username in an answer of
	// the introspection endpoint that has no sub. A number in another claim than sub
	// is the user as it is written, to the last digit.
	UserClaim string `json:"user_claim,omitempty"`

	// The paths of the claims that hold scopes, as a list or as a string with
	// spaces. An invalid scope-token (RFC 6749 §3.3) is left out. Default: scope, scp.
	ScopeClaims []string `json:"scope_claims,omitempty"`

	// The paths of the claims that hold roles: a list, one string, or an object whose
	// members are objects, as Zitadel has it. The roles are then the names of the members.
	// Default: roles, groups, realm_access.roles.
	RoleClaims []string `json:"role_claims,omitempty"`

	// Asks the issuer about opaque tokens (RFC 7662), and about all tokens if neither an
	// issuer nor keys are configured. The answer of the endpoint is checked like the
	// claims of a JWT: an answer without `aud` is refused unless the audience is `*`.
	Introspection *Introspection `json:"introspection,omitempty"`

	// Tokens that are bound to a key, whose holder proves that they have it
	// (DPoP, RFC 9449): `off`, `optional` or `required`. Proofs are for the
	// method and the URL as the client sees it; behind a proxy in front, Caddy
	// has to trust that proxy. Default: off, which refuses such tokens.
	DPoP string `json:"dpop,omitempty"`

	// Asks for a nonce of this server in every proof, so that none can be made
	// in advance. Default: off.
	DPoPNonce bool `json:"dpop_nonce,omitempty"`

	// Tokens that are bound to the client certificate of the connection (RFC
	// 8705): `off`, `optional` or `required`. Caddy has to ask for a
	// certificate: `tls { client_auth { mode request } }`. Default: off, which
	// refuses such tokens.
	CertificateBound string `json:"certificate_bound,omitempty"`

	// The memory for verified tokens of this scheme, in bytes. A token takes about 400
	// bytes. They are remembered for five minutes at most, and no longer than they and
	// their keys are good. 0 remembers none. Default: one memory of 40 MiB that all
	// schemes without this line share.
	TokenCache *uint64 `json:"token_cache,omitempty"`

	keys    sources
	cache   *cache
	config  configID
	remote  *introspection.Client
	proofs  *dpop.Verifier
	store   store.Store
	release []func() error
	skew    time.Duration
	logger  *zap.Logger
	now     func() time.Time
}

// CaddyModule returns the Caddy module information.
func (*Bearer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  authn.Namespace + ".bearer",
		New: func() caddy.Module { return new(Bearer) },
	}
}

// Provision checks the configuration, reads the key files and begins to fetch
// what is published; it does not wait for the network.
func (b *Bearer) Provision(ctx caddy.Context) error {
	b.logger = ctx.Logger()
	b.now = time.Now
	if err := b.replacePlaceholders(caddy.NewReplacer()); err != nil {
		return err
	}
	if err := b.check(); err != nil {
		return err
	}
	b.setDefaults()
	if enabled(b.DPoP) {
		b.proofs = b.newProofs()
	}
	if b.skew > time.Minute {
		b.logger.Warn("a clock_skew over a minute lets expired tokens in for that long", zap.Duration("clock_skew", b.skew))
	}
	if err := b.openIntrospection(); err != nil {
		return err
	}
	if err := b.openKeys(ctx); err != nil {
		return err
	}
	return b.openCache()
}

// Cleanup gives back the key sets that outlive a configuration.
func (b *Bearer) Cleanup() error {
	var failures []error
	for _, release := range b.release {
		failures = append(failures, release())
	}
	b.release = nil
	return errors.Join(failures...)
}

// Interface guards
var (
	_ caddy.Provisioner  = (*Bearer)(nil)
	_ caddy.CleanerUpper = (*Bearer)(nil)
	_ authn.Scheme       = (*Bearer)(nil)
)
