package requireauth

import (
	"encoding/json"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authn/bruteforce"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/securityevents"
	"github.com/excorp/caddy-require-auth/store"
)

// parseApp reads the global option `auth`. Written more than once, the blocks
// are merged.
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	if earlier, ok := existing.(httpcaddyfile.App); ok {
		if err := json.Unmarshal(earlier.Value, app); err != nil {
			return nil, err
		}
	}
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: "auth", Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens. Syntax:
//
//	auth {
//		realm         <text>|off
//		trace_id      <placeholder>...
//		scope_implies <scope> <implied scope>...
//		pages         <folder>
//		store         <kind> ...
//		attempts      <number>|off { ... }
//		security_events <issuer> { ... }
//		<scheme> <name> {
//			...
//		}
//	}
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	start, err := block.Begin(d)
	if err != nil {
		return err
	}
	lines := block.Lines{
		"realm":         block.String(&a.Realm),
		"trace_id":      block.Checked(block.Strings(&a.TraceID), func() error { return checkTraceID(a.TraceID) }),
		"scope_implies": a.readImplied,
		"pages":         block.String(&a.Pages),
		"store":         a.readStore,
		"attempts":      a.readAttempts,

		"security_events": a.readSecurityEvents,
	}
	addSchemes(lines, &a.SchemesRaw)
	if err := block.Read(d, lines); err != nil {
		return err
	}
	return start.Wrap(a.check())
}

func (a *App) readImplied(d *caddyfile.Dispenser) error {
	scopes, err := block.List(d)
	if err != nil {
		return err
	}
	if len(scopes) < 2 {
		return d.Err("write `scope_implies <scope> <implied scope>...`")
	}
	if a.ScopeImplies == nil {
		a.ScopeImplies = make(map[string][]string)
	}
	a.ScopeImplies[scopes[0]] = append(a.ScopeImplies[scopes[0]], scopes[1:]...)
	return nil
}

func (a *App) readStore(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.ArgErr()
	}
	if a.StoreRaw != nil {
		return d.Err("duplicate store: keep one")
	}
	kind := d.Val()
	store, err := caddyfile.UnmarshalModule(d, store.Namespace+"."+kind)
	if err != nil {
		return err
	}
	a.StoreRaw = caddyconfig.JSONModuleObject(store, "store", kind, nil)
	return nil
}

func (a *App) readAttempts(d *caddyfile.Dispenser) error {
	if a.Attempts != nil {
		return d.Err("duplicate attempts: keep one")
	}
	a.Attempts = new(bruteforce.Limits)
	return a.Attempts.ReadLine(d)
}

func (a *App) readSecurityEvents(d *caddyfile.Dispenser) error {
	transmitter := new(securityevents.Transmitter)
	if err := transmitter.ReadBlock(d); err != nil {
		return err
	}
	a.SecurityEvents = append(a.SecurityEvents, transmitter)
	return nil
}

// addSchemes adds a line for each scheme there is, those of other plugins
// included. The line declares a scheme under a name, by default its kind.
func addSchemes(lines block.Lines, declared *map[string]json.RawMessage) {
	for _, module := range caddy.GetModules(authn.Namespace) {
		kind := module.ID.Name()
		lines[kind] = func(d *caddyfile.Dispenser) error {
			name := kind
			if d.NextArg() {
				name = d.Val()
			}
			if _, twice := (*declared)[name]; twice {
				return d.Errf("duplicate scheme %q: rename one", name)
			}
			scheme, err := caddyfile.UnmarshalModule(d, string(module.ID))
			if err != nil {
				return err
			}
			if *declared == nil {
				*declared = make(map[string]json.RawMessage)
			}
			(*declared)[name] = caddyconfig.JSONModuleObject(scheme, "scheme", kind, nil)
			return nil
		}
	}
}

// Interface guard
var _ caddyfile.Unmarshaler = (*App)(nil)
