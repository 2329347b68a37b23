package requireauth

import (
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

// openFacade makes the authorization server of the gate's resource ready, if it has
// one.
func (g *RequireAuth) openFacade(ctx caddy.Context) error {
	facade := g.Resource.Facade
	if facade == nil {
		return nil
	}
	i := slices.IndexFunc(g.schemes, func(s namedScheme) bool { return s.name == facade.Provider })
	if i < 0 {
		return fmt.Errorf("authorization_server_facade: the gate does not accept a scheme %q: write one of its bearer schemes", facade.Provider)
	}
	user, ok := g.schemes[i].Scheme.(capability.ProviderUser)
	if !ok {
		return fmt.Errorf("authorization_server_facade: the scheme %q has no identity provider: write a bearer scheme", facade.Provider)
	}
	provider, err := user.IdentityProvider(ctx)
	if err != nil {
		return fmt.Errorf("authorization_server_facade: %w", err)
	}
	pages := g.app.pages
	if pages == nil {
		if pages, err = denial.BuiltInPages(); err != nil {
			return err
		}
	}
	if err := facade.Open(g.Resource.URL, g.Resource.Path(), provider, pages, g.logger); err != nil {
		return fmt.Errorf("authorization_server_facade: %w", err)
	}
	return nil
}
