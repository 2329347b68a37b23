package requireauth

import (
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/internal/routes"
)

// checkAnswers refuses error routes, and routes of `intercept`, that may answer
// a denied request with what it was denied. The first gate that is loaded looks
// at all servers.
func (a *App) checkAnswers(ctx caddy.Context) error {
	if a.answersChecked {
		return nil
	}
	for _, module := range ctx.Modules() {
		servers, ok := module.(*caddyhttp.App)
		if !ok {
			continue
		}
		a.answersChecked = true
		for _, name := range slices.Sorted(maps.Keys(servers.Servers)) {
			if err := checkAnswersOf(name, servers.Servers[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkAnswersOf(name string, server *caddyhttp.Server) error {
	described, err := routes.OfServer(name, server)
	if err != nil {
		return err
	}
	if !described.HasSubstitutes() {
		return nil
	}
	config := new(routes.Config)
	for _, leak := range config.Leaks(described, config.Walk(described, routes.Region{})) {
		if leak.Denied.Handler == "require_auth" {
			return fmt.Errorf("%s: %s: %s; `caddy auth lint` names the line", leak.Handler.Where, leak.What(), leak.Remedy())
		}
	}
	return nil
}
