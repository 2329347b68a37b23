package requireauth

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/block"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("auth", parseApp)
	httpcaddyfile.RegisterHandlerDirective("require_auth", parseGate)
	httpcaddyfile.RegisterDirectiveOrder("require_auth", httpcaddyfile.After, "basic_auth")
}

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
//		store         <kind> ...
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
		"trace_id":      block.Strings(&a.TraceID),
		"scope_implies": a.readImplied,
		"store":         a.readStore,
	}
	addSchemes(lines, &a.SchemesRaw)
	if err := block.Read(d, lines); err != nil {
		return err
	}
	return start.Wrap(a.check())
}

func (a *App) readImplied(d *caddyfile.Dispenser) error {
	scopes := d.RemainingArgs()
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
		return d.Err("store is written twice: keep one")
	}
	kind := d.Val()
	store, err := caddyfile.UnmarshalModule(d, authn.StoreNamespace+"."+kind)
	if err != nil {
		return err
	}
	a.StoreRaw = caddyconfig.JSONModuleObject(store, "store", kind, nil)
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
				return d.Errf("scheme %q is declared twice: give one another name", name)
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

// parseGate reads the directive `require_auth` and checks the schemes that it
// names against those that are declared.
func parseGate(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	gate := new(RequireAuth)
	h.Next()
	start := block.Here(h.Dispenser)
	h.Reset()
	if err := gate.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	declared, err := declaredSchemes(h.Option("auth"))
	if err != nil {
		return nil, err
	}
	names := gate.Schemes
	for name := range gate.InlineRaw {
		if slices.Contains(declared, name) {
			return nil, start.Wrap(fmt.Errorf("scheme %q is declared in the global option auth too: give one another name", name))
		}
		declared = append(declared, name)
		names = append(slices.Clip(names), name)
	}
	slices.Sort(declared)
	if err := checkChoice(names, declared); err != nil {
		return nil, start.Wrap(err)
	}
	return gate, nil
}

// declaredSchemes returns the names that the global option declares.
func declaredSchemes(option any) ([]string, error) {
	app, ok := option.(httpcaddyfile.App)
	if !ok {
		return nil, nil
	}
	var declared App
	if err := json.Unmarshal(app.Value, &declared); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(declared.SchemesRaw)), nil
}

// UnmarshalCaddyfile sets up the gate from Caddyfile tokens. Syntax:
//
//	require_auth [<matcher>] [<scheme>...] {
//		<scheme> [<name>] { ... }
//		optional
//		scope     <scope>...
//		any_scope <scope>...
//		role      <role>...
//		any_role  <role>...
//		claim     <path> <value>...
//		user      <id>...
//		if        <expression>
//		acr       <value>...
//		max_age   <duration>
//		hide      [all]
//		forward   <field> <value>
//		strip_credentials
//		error_format auto|problem|json|html|text
//		login_url <url>
//	}
func (g *RequireAuth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	start := block.Here(d)
	g.Schemes = d.RemainingArgs()
	lines := block.Lines{
		"optional":          block.Flag(&g.Optional),
		"scope":             block.Strings(&g.Scopes),
		"any_scope":         onlyOnce(&g.AnyScopes),
		"role":              block.Strings(&g.Roles),
		"any_role":          onlyOnce(&g.AnyRoles),
		"claim":             g.readClaim,
		"user":              onlyOnce(&g.Users),
		"if":                g.readCondition,
		"acr":               onlyOnce(&g.ACR),
		"max_age":           block.Duration(&g.MaxAge),
		"hide":              g.readHide,
		"forward":           g.readForward,
		"strip_credentials": block.Flag(&g.StripCredentials),
		"error_format":      block.String((*string)(&g.ErrorFormat)),
		"login_url":         block.String(&g.LoginURL),
	}
	addSchemes(lines, &g.InlineRaw)
	if err := block.Read(d, lines); err != nil {
		return err
	}
	return start.Wrap(g.check())
}

// onlyOnce reads a list of alternatives. Two such lines could mean that both
// must hold, or that either does.
func onlyOnce(target *[]string) block.Line {
	read := block.Strings(target)
	return func(d *caddyfile.Dispenser) error {
		if len(*target) > 0 {
			return d.Errf("%s is written twice: write the alternatives on one line, or a second require_auth", d.Val())
		}
		return read(d)
	}
}

func (g *RequireAuth) readClaim(d *caddyfile.Dispenser) error {
	arguments := d.RemainingArgs()
	if len(arguments) < 2 {
		return d.Err("write `claim <path> <value>...`")
	}
	g.Claims = append(g.Claims, authz.Claim{Path: arguments[0], Values: arguments[1:]})
	return nil
}

// readCondition keeps the quotes of an expression that is written without
// quotes around it, as Caddy's matcher does.
func (g *RequireAuth) readCondition(d *caddyfile.Dispenser) error {
	if g.If != "" {
		return d.Err("if is written twice: combine the conditions with &&")
	}
	if d.CountRemainingArgs() == 0 {
		return d.ArgErr()
	}
	if d.CountRemainingArgs() > 1 {
		g.If = strings.Join(d.RemainingArgsRaw(), " ")
		return nil
	}
	d.NextArg()
	g.If = d.Val()
	return nil
}

func (g *RequireAuth) readHide(d *caddyfile.Dispenser) error {
	arguments := d.RemainingArgs()
	switch {
	case g.Hide != "":
		return d.Err("hide is written twice: keep one")
	case len(arguments) == 0:
		g.Hide = hideDenied
	case len(arguments) == 1 && arguments[0] == hideAll:
		g.Hide = hideAll
	default:
		return d.Err("write `hide` or `hide all`")
	}
	return nil
}

func (g *RequireAuth) readForward(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.Err("write `forward <field> <value>`")
	}
	if _, twice := g.Forward[name]; twice {
		return d.Errf("forward %s is written twice: keep one", name)
	}
	if g.Forward == nil {
		g.Forward = make(map[string]string)
	}
	g.Forward[name] = value
	return block.Here(d).Wrap(checkForward(g.Forward))
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*App)(nil)
	_ caddyfile.Unmarshaler = (*RequireAuth)(nil)
)
