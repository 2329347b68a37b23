// Command peers is a Caddy with other gates beside the one of this repository, for
// `go -C bench run . -peers`. It is a module of its own for what they need.
package main

import (
	"context"
	"crypto/rsa"
	"log"
	"net/http"
	"os"
	"time"

	jwtmiddleware "github.com/auth0/go-jwt-middleware/v2"
	"github.com/auth0/go-jwt-middleware/v2/validator"
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/lestrrat-go/jwx/v2/jwk"

	_ "github.com/ggicci/caddy-jwt" // a gate to compare with

	_ "github.com/excorp/caddy-require-auth"
	"github.com/excorp/caddy-require-auth/bench/serve"
)

func main() {
	if !serve.Run() {
		log.Fatal("run `go -C bench run . -peers`")
	}
}

func init() {
	caddy.RegisterModule(new(middleware))
	httpcaddyfile.RegisterHandlerDirective("peer_middleware", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		m := new(middleware)
		return m, m.UnmarshalCaddyfile(h.Dispenser)
	})
	httpcaddyfile.RegisterDirectiveOrder("peer_middleware", httpcaddyfile.After, "basic_auth")
}

// middleware is the middleware of auth0/go-jwt-middleware as a handler.
type middleware struct {
	File     string `json:"file"`
	Issuer   string `json:"issuer"`
	Audience string `json:"audience"`

	inner *jwtmiddleware.JWTMiddleware
}

// CaddyModule returns the Caddy module information.
func (*middleware) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.peer_middleware", New: func() caddy.Module { return new(middleware) }}
}

// UnmarshalCaddyfile reads `peer_middleware <file> <issuer> <audience>`.
func (m *middleware) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&m.File, &m.Issuer, &m.Audience) {
		return d.ArgErr()
	}
	return nil
}

// Provision reads the key.
func (m *middleware) Provision(caddy.Context) error {
	text, err := os.ReadFile(m.File)
	if err != nil {
		return err
	}
	parsed, err := jwk.ParseKey(text, jwk.WithPEM(true))
	if err != nil {
		return err
	}
	key := new(rsa.PublicKey)
	if err := parsed.Raw(key); err != nil {
		return err
	}
	keyOf := func(context.Context) (any, error) { return key, nil }
	tokens, err := validator.New(keyOf, validator.RS256, m.Issuer, []string{m.Audience}, validator.WithAllowedClockSkew(time.Minute))
	if err != nil {
		return err
	}
	m.inner = jwtmiddleware.New(tokens.ValidateToken, jwtmiddleware.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusUnauthorized)
	}))
	return nil
}

// ServeHTTP lets good tokens pass.
func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) (err error) {
	m.inner.CheckJWT(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { err = next.ServeHTTP(w, r) })).ServeHTTP(w, r)
	return err
}
