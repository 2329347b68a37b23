package requireauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/cors"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/internal/signer"
	"github.com/excorp/caddy-require-auth/store"
)

func init() {
	caddy.RegisterModule(new(SigningKeys))
	httpcaddyfile.RegisterHandlerDirective("auth_jwks", parseSigningKeys)
	httpcaddyfile.RegisterDirectiveOrder("auth_jwks", httpcaddyfile.Before, "basic_auth")
}

// keysPath is where the keys are published.
const keysPath = "/.well-known/auth/jwks.json"

// SigningKeys is a middleware that publishes the keys of `forward_signed`, as a JWK Set
// (RFC 7517), at `/.well-known/auth/jwks.json`. Every other request goes on.
//
// In a Caddyfile, the line `forward_signed` of `require_auth` adds it to the site, before
// the gates. A gate in a `handle` with another path needs the directive `auth_jwks` in
// the site.
//
// A key signs for a day. It is published an hour before and an hour after. The first key
// of a process signs at once. With a store of several instances, each one publishes the
// keys of all. Scripts of any origin can read the document, and it can be kept for five
// minutes.
type SigningKeys struct {
	app    *App
	logger *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*SigningKeys) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.auth_jwks",
		New: func() caddy.Module { return new(SigningKeys) },
	}
}

// parseSigningKeys reads the directive `auth_jwks`.
func parseSigningKeys(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	if h.NextArg() {
		return nil, h.ArgErr()
	}
	return new(SigningKeys), nil
}

// Provision makes the keys, if no earlier configuration did.
func (k *SigningKeys) Provision(ctx caddy.Context) error {
	k.logger = ctx.Logger()
	app, err := ctx.App("auth")
	if err != nil {
		return fmt.Errorf("loading the app auth: %w", err)
	}
	k.app = app.(*App)
	_, err = k.app.openSigner()
	return err
}

// ServeHTTP publishes the keys, or lets the request go on.
func (k *SigningKeys) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if r.URL.Path != keysPath {
		return next.ServeHTTP(w, r)
	}
	caddyhttp.SetVar(r.Context(), cors.PublicDocumentVar, true)
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Del("Access-Control-Allow-Credentials")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		return caddyhttp.Error(http.StatusMethodNotAllowed, nil)
	}
	document, err := k.app.signer.Document(r.Context(), k.app.sharedKeys())
	if err != nil {
		k.logger.Debug("the keys of other instances are not read", zap.Error(err))
	}
	digest := sha256.Sum256(document)
	header.Set("Content-Type", "application/jwk-set+json")
	header.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(signer.MaxAge.Seconds())))
	header.Set("Etag", `"`+base64.RawURLEncoding.EncodeToString(digest[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(document))
	return nil
}

// signers is the signer of the process.
var signers = lasting.Value[*signer.Signer]{New: signer.New}

// openSigner returns the signer of the process. Other instances learn its keys before the
// first request, unless the store is unavailable.
func (a *App) openSigner() (*signer.Signer, error) {
	if a.signer != nil {
		return a.signer, nil
	}
	a.signer = signers.Acquire()
	if err := a.signer.Rotate(); err != nil {
		return nil, fmt.Errorf("forward_signed: %w", err)
	}
	if err := a.signer.Share(context.Background(), a.sharedKeys()); err != nil {
		a.logger.Warn("forward_signed", zap.Error(err))
	}
	return a.signer, nil
}

// sharedKeys is the store, if it has the keys of several instances.
func (a *App) sharedKeys() store.SharedKeys {
	shared, _ := a.store.(store.SharedKeys)
	return shared
}

// maintainEvery is how often the keys are looked after. An instance that could not write
// its keys tries again.
const maintainEvery = 5 * time.Second

// maintainSigner rotates and publishes the keys until the context ends.
func (a *App) maintainSigner(ctx context.Context) {
	ticker := time.NewTicker(maintainEvery)
	defer ticker.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := errors.Join(a.signer.Rotate(), a.signer.Share(ctx, a.sharedKeys()))
		if err != nil && !failed && ctx.Err() == nil {
			a.logger.Warn("forward_signed", zap.Error(err))
		}
		failed = err != nil
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*SigningKeys)(nil)
	_ caddyhttp.MiddlewareHandler = (*SigningKeys)(nil)
)
