package requireauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/mcp"
	"github.com/excorp/caddy-require-auth/openapi"
	"github.com/excorp/caddy-require-auth/resource"
	"github.com/excorp/caddy-require-auth/resource/facade"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("auth", parseApp)
	httpcaddyfile.RegisterDirective("require_auth", parseGate)
	httpcaddyfile.RegisterHandlerDirective("protected_resource", parseResource)
	httpcaddyfile.RegisterDirectiveOrder("require_auth", httpcaddyfile.After, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("protected_resource", httpcaddyfile.Before, "basic_auth")
}

// parseGate reads the directive `require_auth`. A gate that is a protected
// resource brings the route of its document along.
func parseGate(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	if !h.Next() {
		return nil, h.ArgErr()
	}
	start := block.Here(h.Dispenser)
	matchers, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	gate := new(RequireAuth)
	if err := gate.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, err
	}
	app, err := declaredApp(h.Option("auth"))
	if err != nil {
		return nil, err
	}
	if err := gate.checkSchemes(app); err != nil {
		return nil, start.Wrap(err)
	}
	if err := checkErrorRoutes(h, gate); err != nil {
		return nil, err
	}
	if gate.Resource != nil {
		if err := gate.completeResource(app); err != nil {
			return nil, start.Wrap(err)
		}
	}
	var routes []httpcaddyfile.ConfigValue
	for _, doc := range gate.documents() {
		// The document comes first, with one long path. Caddy keeps such a route before the
		// others of a directive, so the gate does not guard the document.
		matcher := caddy.ModuleMap{"path": h.JSON([]string{doc.path})}
		routes = append(routes, h.NewRoute(matcher, doc.handler)...)
	}
	return append(routes, h.NewRoute(matchers, gate)...), nil
}

// document is what a gate brings along to its site.
type document struct {
	path    string
	handler caddyhttp.MiddlewareHandler
}

// documents are the documents that the gate brings along.
func (g *RequireAuth) documents() (all []document) {
	if g.Resource != nil {
		described := *g.Resource
		described.Facade = nil // its secret stays with the gate
		paths := []string{resource.WellKnown}
		if g.Resource.Facade != nil {
			paths = append(paths, facade.MetadataPath, facade.OpenIDPath, facade.EndpointPath)
		}
		for _, path := range paths {
			all = append(all, document{path + "*", &resource.Handler{Resources: []resource.Resource{described}}})
		}
	}
	if len(g.ForwardSigned) > 0 {
		all = append(all, document{keysPath, new(SigningKeys)})
	}
	return all
}

// parseResource reads the directive `protected_resource`. It serves the document of a
// resource if no route of its gates is reached, such as in a `handle` with another
// path.
func parseResource(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h.Next()
	start := block.Here(h.Dispenser)
	var one resource.Resource
	if err := one.ReadBlock(h.Dispenser); err != nil {
		return nil, err
	}
	if one.Facade != nil {
		return nil, start.Wrap(errors.New("authorization_server_facade belongs to a gate: write it in the protected_resource of require_auth"))
	}
	if err := one.Check(); err != nil {
		return nil, start.Wrap(err)
	}
	return &resource.Handler{Resources: []resource.Resource{one}}, nil
}

// checkSchemes checks the schemes that a gate names against those that the
// global option declares.
func (g *RequireAuth) checkSchemes(app *App) error {
	declared := slices.Sorted(maps.Keys(app.SchemesRaw))
	names := g.Schemes
	for _, name := range slices.Sorted(maps.Keys(g.InlineRaw)) {
		if slices.Contains(declared, name) {
			return fmt.Errorf("scheme %q is declared in the global option auth too: give one another name", name)
		}
		declared = append(declared, name)
		names = append(slices.Clip(names), name)
	}
	slices.Sort(declared)
	return checkChoice(names, declared)
}

// completeResource gives a resource that is written without a URL the one
// audience of the accepted schemes that is a URL.
func (g *RequireAuth) completeResource(app *App) error {
	if g.Resource.URL == "" {
		var urls []string
		for name, raw := range app.SchemesRaw {
			if slices.Contains(g.Schemes, name) || len(g.Schemes)+len(g.InlineRaw) == 0 {
				urls = append(urls, urlAudiences(raw)...)
			}
		}
		for _, raw := range g.InlineRaw {
			urls = append(urls, urlAudiences(raw)...)
		}
		if len(urls) != 1 {
			return errors.New("protected_resource: write the URL by which clients call it, because there is no audience to take it from")
		}
		g.Resource.URL = urls[0]
	}
	if err := g.checkFacade(app); err != nil {
		return err
	}
	return g.Resource.Check()
}

// checkFacade checks that the provider of a facade is a bearer scheme of the gate.
func (g *RequireAuth) checkFacade(app *App) error {
	if g.Resource.Facade == nil {
		return nil
	}
	name := g.Resource.Facade.Provider
	raw := g.InlineRaw[name]
	if slices.Contains(g.Schemes, name) || len(g.Schemes)+len(g.InlineRaw) == 0 {
		raw = app.SchemesRaw[name]
	}
	var kind struct {
		Scheme string `json:"scheme"`
	}
	if json.Unmarshal(raw, &kind) != nil || kind.Scheme != "bearer" {
		return fmt.Errorf("authorization_server_facade %s: name a bearer scheme that this gate accepts", name)
	}
	return nil
}

func urlAudiences(scheme json.RawMessage) []string {
	var bearer struct {
		Audiences []string `json:"audiences"`
	}
	if json.Unmarshal(scheme, &bearer) != nil {
		return nil
	}
	return slices.DeleteFunc(bearer.Audiences, func(audience string) bool { return !strings.HasPrefix(audience, "https://") })
}

// declaredApp returns what the global option declares.
func declaredApp(option any) (*App, error) {
	declared := new(App)
	if app, ok := option.(httpcaddyfile.App); ok {
		return declared, json.Unmarshal(app.Value, declared)
	}
	return declared, nil
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
//		protected_resource <URL> { ... }
//		mcp { ... }
//		openapi <file or URL> { ... }
//		hide      [all]
//		forward   <field> <value>
//		end_streams [all]
//		forward_signed <field> {
//			audience <id>...
//			claims   <path>...
//			ttl      <duration>
//			issuer   <url>
//		}
//		preflight answer|forward
//		strip_credentials
//		error_format auto|problem|json|html|text
//		login_url <url>
//	}
func (g *RequireAuth) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	start := block.Here(d)
	var err error
	if g.Schemes, err = block.List(d); err != nil {
		return err
	}
	lines := block.Lines{
		"optional":    block.Flag(&g.Optional),
		"report_only": block.Flag(&g.ReportOnly),
		"scope":       block.Strings(&g.Scopes),
		"any_scope":   onlyOnce(&g.AnyScopes),
		"role":        block.Strings(&g.Roles),
		"any_role":    onlyOnce(&g.AnyRoles),
		"claim":       g.readClaim,
		"user":        onlyOnce(&g.Users),
		"if":          g.readCondition,
		"acr":         onlyOnce(&g.ACR),
		"max_age":     block.Once(g.readMaxAge),
		"mcp":         block.Once(g.readMCP),
		"openapi":     block.Once(g.readOpenAPI),
		"hide":        orAll(&g.Hide, hideDenied),

		"protected_resource": block.Once(g.readResource),
		"forward":            g.readForward,
		"end_streams":        orAll(&g.EndStreams, endStreams),
		"forward_signed":     g.readForwardSigned,
		"preflight":          block.Checked(block.String(&g.Preflight), func() error { return checkPreflight(g.Preflight) }),
		"strip_credentials":  block.Flag(&g.StripCredentials),
		"error_format":       block.String((*string)(&g.ErrorFormat)),
		"login_url":          block.String(&g.LoginURL),
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
			return d.Errf("duplicate %s: write the alternatives on one line, or a second require_auth", d.Val())
		}
		return read(d)
	}
}

func (g *RequireAuth) readClaim(d *caddyfile.Dispenser) error {
	arguments, err := block.List(d)
	if err != nil {
		return err
	}
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
		return d.Err("duplicate if: combine the conditions with &&")
	}
	if d.CountRemainingArgs() == 0 {
		return d.ArgErr()
	}
	here := block.Here(d)
	if d.CountRemainingArgs() > 1 {
		g.If = strings.Join(d.RemainingArgsRaw(), " ")
		return here.Wrap(checkCondition(g.If))
	}
	d.NextArg()
	if g.If = d.Val(); strings.TrimSpace(g.If) == "" {
		return d.Err("if is empty: write an expression, such as `if user == \"alice\"`")
	}
	return here.Wrap(checkCondition(g.If))
}

func (g *RequireAuth) readResource(d *caddyfile.Dispenser) error {
	g.Resource = new(resource.Resource)
	return g.Resource.ReadBlock(d)
}

func (g *RequireAuth) readMCP(d *caddyfile.Dispenser) error {
	g.MCP = new(mcp.Policy)
	return g.MCP.ReadBlock(d)
}

func (g *RequireAuth) readOpenAPI(d *caddyfile.Dispenser) error {
	g.OpenAPI = new(openapi.Policy)
	return g.OpenAPI.ReadBlock(d)
}

func (g *RequireAuth) readMaxAge(d *caddyfile.Dispenser) error {
	if err := block.Duration(&g.MaxAge)(d); err != nil {
		return err
	}
	if g.MaxAge == 0 {
		return d.Err("max_age 0 cannot be met: write for example 5m")
	}
	return nil
}

// orAll reads a line without a value, or with the value all.
func orAll(target *string, alone string) block.Line {
	return block.Once(func(d *caddyfile.Dispenser) error {
		name, arguments := d.Val(), d.RemainingArgs()
		switch {
		case len(arguments) == 0:
			*target = alone
		case len(arguments) == 1 && arguments[0] == "all":
			*target = "all"
		default:
			return d.Errf("write `%s` or `%s all`", name, name)
		}
		return nil
	})
}

func (g *RequireAuth) readForward(d *caddyfile.Dispenser) error {
	var name, value string
	if !d.AllArgs(&name, &value) {
		return d.Err("write `forward <field> <value>`")
	}
	if _, twice := g.Forward[name]; twice {
		return d.Errf("duplicate forward %s: keep one", name)
	}
	if g.Forward == nil {
		g.Forward = make(map[string]string)
	}
	g.Forward[name] = value
	return block.Here(d).Wrap(checkForward(g.Forward))
}

// Interface guard
var _ caddyfile.Unmarshaler = (*RequireAuth)(nil)
