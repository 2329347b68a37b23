package requireauth

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/excorp/caddy-require-auth/internal/lint"
	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// errorsOnly is the option under which the error routes of a site are adapted
// alone.
const errorsOnly = "require_auth.errors_only"

// checkErrorRoutes refuses the `handle_errors` of a site, with file and line,
// where they answer every denial of a gate with what it guards. A gate whose
// matcher decides is looked at when the configuration is loaded.
func checkErrorRoutes(h httpcaddyfile.Helper, gate *RequireAuth) error {
	site, ok := siteOf(h)
	if !ok || h.Option(errorsOnly) != nil {
		return nil
	}
	adapted, ok := adaptErrorRoutes(site, h.Option("auth"))
	if !ok {
		return nil // Caddy's own message says more
	}
	config, err := routes.Parse(adapted)
	if err != nil {
		return err
	}
	text := sourcepos.Blocks([]caddyfile.ServerBlock{site})
	use := routes.PlacedGate{Gate: routes.Gate{Handler: "require_auth", Config: h.JSON(gate)}}
	for i := range config.Servers {
		for _, leak := range config.Leaks(&config.Servers[i], routes.Analysis{Gates: []routes.PlacedGate{use}}) {
			if found := text.Find(lint.QueryOfLeak(leak)); leak.Always() && len(found) > 0 {
				return fmt.Errorf("%s: %s, at %s", leak.What(), leak.Remedy(), found[0])
			}
		}
	}
	return nil
}

// adaptErrorRoutes adapts a site that has nothing but error routes, with the
// named matchers that they may use.
func adaptErrorRoutes(site caddyfile.ServerBlock, auth any) ([]byte, bool) {
	site.Keys = []caddyfile.Token{{Text: "http://"}}
	site.Segments = slices.DeleteFunc(slices.Clone(site.Segments), func(segment caddyfile.Segment) bool {
		directive := segment.Directive()
		return directive != "handle_errors" && !strings.HasPrefix(directive, "@")
	})
	if !slices.ContainsFunc(site.Segments, func(s caddyfile.Segment) bool { return s.Directive() == "handle_errors" }) {
		return nil, false
	}
	options := map[string]any{errorsOnly: true, "auth": auth}
	config, _, err := httpcaddyfile.ServerType{}.Setup([]caddyfile.ServerBlock{site}, options)
	if err != nil {
		return nil, false
	}
	adapted, err := json.Marshal(map[string]caddy.ModuleMap{"apps": config.AppsRaw})
	return adapted, err == nil
}

// siteOf returns the block of the site that contains a directive. Caddy does not export
// it, so the field is read by reflection. Without the field the check happens at load.
func siteOf(h httpcaddyfile.Helper) (site caddyfile.ServerBlock, ok bool) {
	field := reflect.ValueOf(&h).Elem().FieldByName("parentBlock")
	if !field.IsValid() || field.Type() != reflect.TypeFor[caddyfile.ServerBlock]() {
		return site, false
	}
	return *(*caddyfile.ServerBlock)(field.Addr().UnsafePointer()), true
}
