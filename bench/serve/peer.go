package serve

import (
	"net/http"
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jwt"
)

func init() {
	caddy.RegisterModule(new(peer))
	httpcaddyfile.RegisterHandlerDirective("bench_peer", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		p := new(peer)
		return p, p.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("bench_peer", httpcaddyfile.After, "basic_auth")
}

// peer is a gate as it is often written: jwt.Parse for each request. It is
// here to be measured against.
type peer struct {
	File     string `json:"file"`
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`
	set      jwk.Set
}

// CaddyModule returns the Caddy module information.
func (*peer) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.bench_peer", New: func() caddy.Module { return new(peer) }}
}

// UnmarshalCaddyfile reads `bench_peer <file> <issuer> <audience>`.
func (p *peer) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&p.File, &p.Issuer, &p.Audience) {
		return d.ArgErr()
	}
	return nil
}

// Provision reads the keys.
func (p *peer) Provision(caddy.Context) error {
	text, err := os.ReadFile(p.File)
	if err != nil {
		return err
	}
	p.set, err = jwk.Parse(text)
	return err
}

// ServeHTTP lets good tokens pass.
func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	text := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, err := jwt.Parse([]byte(text), jwt.WithKeySet(p.set), jwt.WithIssuer(p.Issuer), jwt.WithAudience(p.Audience))
	if err != nil {
		return caddyhttp.Error(http.StatusUnauthorized, err)
	}
	caddyhttp.SetVar(r.Context(), "user", token.Subject())
	return next.ServeHTTP(w, r)
}
