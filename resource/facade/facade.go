// Package facade makes a gate the authorization server of its resource, for providers
// that do not register clients. It gives every client the one client that is registered
// at the provider, and passes authorization and token requests on.
package facade

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/fairness"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/page"
)

// Facade is the authorization server of a protected resource, in front of a provider
// without dynamic client registration (Microsoft Entra ID, Google, GitHub, Okta). Its
// issuer is the URL of the resource. Clients register, or name a client ID metadata
// document. When the user has agreed, the facade sends them to the provider as the one
// client that is registered there. The facade stores nothing: no client, no code, no
// token.
//
// Register its callback at the provider as the only redirect URI. For
// `https://mcp.example.com/mcp` it is
// `https://mcp.example.com/.well-known/auth/oauth/callback/mcp`.
//
// The facade requires PKCE with S256 of every client, and verifies it. A redirect URI
// is `http://127.0.0.1`, `http://[::1]` or `http://localhost` with any port, one of
// `redirect_uris`, or one in the metadata document of the client.
type Facade struct {
	// The name of the bearer scheme whose issuer is the provider. The gate must
	// accept it. Required.
	Provider string `json:"provider"`

	// The client that is registered at the provider. Every client gets this ID.
	// Required.
	ClientID string `json:"client_id"`

	// The secret of the client. It is sent to the provider only. Placeholders such as
	// `{env.ENTRA_SECRET}` are replaced at load. Default: none, for a public client.
	ClientSecret string `json:"client_secret,omitempty"`

	// The parameters that the provider refuses. They are removed from authorization
	// and token requests. Default: none.
	Drop []string `json:"drop,omitempty"`

	// The scopes that are requested at the provider, instead of those of the client.
	// Default: the client's own.
	Scopes []string `json:"scopes,omitempty"`

	// Further redirect URIs of clients, compared character by character. They begin
	// with https, or with the scheme of an app such as `cursor`. Default: none.
	RedirectURIs []string `json:"redirect_uris,omitempty"`

	// The authorization endpoint of a provider without metadata. Its query is kept.
	// Default: by discovery from the issuer of the scheme.
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`

	// The token endpoint of a provider without metadata. Default: by discovery from
	// the issuer of the scheme.
	TokenEndpoint string `json:"token_endpoint,omitempty"`

	// A secret of at least 32 bytes that seals what clients carry between the
	// requests of a login. Instances that share a site need the same one.
	// Placeholders are replaced at load. Default: a random one of this process.
	StateSecret string `json:"state_secret,omitempty"`

	issuer    string
	path      string // of the issuer
	endpoints *idp.Endpoints
	sealer    sealer
	documents *documents
	calls     *fairness.FairQuota
	pages     *page.Set
	csrf      *http.CrossOriginProtection
	provider  idp.DedupLog
	logger    *zap.Logger
}

// maxCalls bounds the requests to the provider in flight. One client alone can have
// half of them, see [fairness.FairQuota].
const maxCalls = 64

// Open prepares the facade. The issuer is the URL of the resource, and path the path of
// that URL. The pages ask for consent.
func (f *Facade) Open(issuer, path string, provider idp.Provider, pages *page.Set, logger *zap.Logger) error {
	if err := f.replacePlaceholders(); err != nil {
		return err
	}
	if err := f.Check(issuer); err != nil {
		return err
	}
	if err := f.checkProvider(provider); err != nil {
		return err
	}
	f.issuer, f.path, f.pages, f.logger = issuer, path, pages, logger
	f.endpoints = &idp.Endpoints{Provider: provider}
	f.sealer = newSealer(f.StateSecret, issuer)
	f.documents = newDocuments(idp.NewPublicClient())
	f.calls = fairness.NewFairQuota(maxCalls)
	f.csrf = http.NewCrossOriginProtection()
	return nil
}

func (f *Facade) replacePlaceholders() error {
	return block.Values{
		"client_id": &f.ClientID, "client_secret": &f.ClientSecret, "state_secret": &f.StateSecret,
		"authorization_endpoint": &f.AuthorizationEndpoint, "token_endpoint": &f.TokenEndpoint,
	}.Replace(caddy.NewReplacer())
}

// The locations of a facade. The path of the issuer follows each.
const (
	// MetadataPath is the location of metadata in RFC 8414 §3.1.
	MetadataPath = "/.well-known/oauth-authorization-server"
	// OpenIDPath is where clients with only OpenID Connect look.
	OpenIDPath = "/.well-known/openid-configuration"
	// EndpointPath is the location of all endpoints.
	EndpointPath = "/.well-known/auth/oauth"
)

// Endpoint is one endpoint of a facade.
type Endpoint struct {
	// Public endpoints can be called by scripts of every origin.
	Public bool
	// Pure endpoints have no effect, so a dry run may call them.
	Pure bool

	methods string
	serve   func(f *Facade, w http.ResponseWriter, r *http.Request) error
}

// endpoints maps each location to its endpoint.
var endpoints = map[string]Endpoint{
	MetadataPath:                {Public: true, Pure: true, methods: "GET, HEAD", serve: (*Facade).serveMetadata},
	OpenIDPath:                  {Public: true, Pure: true, methods: "GET, HEAD", serve: (*Facade).serveMetadata},
	EndpointPath + "/register":  {Public: true, methods: "POST", serve: (*Facade).register},
	EndpointPath + "/token":     {Public: true, methods: "POST", serve: (*Facade).token},
	EndpointPath + "/authorize": {methods: "GET, HEAD", serve: (*Facade).authorize},
	EndpointPath + "/consent":   {methods: "POST", serve: (*Facade).consent},
	EndpointPath + "/callback":  {methods: "GET, HEAD", serve: (*Facade).callback},
}

// Paths returns the endpoints of a facade by their canonical paths, for an issuer with
// this path.
func Paths(path string) map[string]Endpoint {
	all := make(map[string]Endpoint, len(endpoints))
	for location, endpoint := range endpoints {
		all[location+path] = endpoint
	}
	return all
}

// Serve answers a request for an endpoint.
func (e Endpoint) Serve(f *Facade, w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
	switch {
	case !strings.Contains(", "+e.methods+",", ", "+r.Method+","):
		header.Set("Allow", e.methods)
		w.WriteHeader(http.StatusMethodNotAllowed)
	case !e.Pure && isEarly(r.TLS):
		w.WriteHeader(http.StatusTooEarly)
	default:
		err := e.serve(f, w, r)
		switch {
		case err == nil:
		case e.Public:
			f.writeError(w, r, err)
		default:
			f.refuseLogin(w, r, err)
		}
	}
}

// isEarly reports whether a request came in early data, which can be replayed.
func isEarly(state *tls.ConnectionState) bool { return state != nil && !state.HandshakeComplete }

// url returns the URL of an endpoint.
func (f *Facade) url(name string) string {
	return strings.TrimSuffix(f.origin(), "/") + EndpointPath + "/" + name + f.path
}

func (f *Facade) origin() string {
	scheme, rest, _ := strings.Cut(f.issuer, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// authorizationEndpoint returns the URL where users sign in.
func (f *Facade) authorizationEndpoint(r *http.Request) (string, error) {
	if f.AuthorizationEndpoint != "" {
		return f.AuthorizationEndpoint, nil
	}
	return f.endpoints.Find(r.Context(), "authorization_endpoint")
}

// tokenEndpoint returns the URL where codes are redeemed.
func (f *Facade) tokenEndpoint(r *http.Request) (string, error) {
	if f.TokenEndpoint != "" {
		return f.TokenEndpoint, nil
	}
	return f.endpoints.Find(r.Context(), "token_endpoint")
}

// logRefusal logs why a request was refused.
func (f *Facade) logRefusal(r *http.Request, code string, reason error) {
	f.logger.Info("the authorization server facade refused a request",
		zap.String("path", r.URL.Path), zap.String("code", code), zap.Error(reason))
}

// logFailure logs why the provider cannot be used, once for each reason.
func (f *Facade) logFailure(reason error) {
	if f.provider.Failed(now(), reason.Error()) {
		f.logger.Error("the authorization server facade cannot use its provider", zap.String("provider", f.Provider), zap.Error(reason))
	}
}

// checkProvider requires endpoints for a provider that publishes none.
func (f *Facade) checkProvider(provider idp.Provider) error {
	if provider.Issuer == "" && (f.AuthorizationEndpoint == "" || f.TokenEndpoint == "") {
		return fmt.Errorf("the scheme %s has no issuer to find endpoints with: write authorization_endpoint and token_endpoint", f.Provider)
	}
	for name, endpoint := range map[string]string{"authorization_endpoint": f.AuthorizationEndpoint, "token_endpoint": f.TokenEndpoint} {
		if endpoint == "" {
			continue
		}
		if err := idp.InLine(name, idp.CheckURL(endpoint, provider.HTTPHosts...)); err != nil {
			return err
		}
	}
	return nil
}

var errBusy = errors.New("too many requests of this client at once")
