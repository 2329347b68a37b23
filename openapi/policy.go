package openapi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/openapi"
	"github.com/excorp/caddy-require-auth/internal/watch"
)

// Policy makes a gate require the security schemes and scopes that an OpenAPI document
// declares for each operation. The document is OpenAPI 3.0, 3.1 or 3.2, in JSON or
// YAML.
//
// A request is for the operation whose method and path template it matches. A template
// with a fixed segment comes before one with a parameter. A parameter is one segment,
// and not empty. HEAD without an operation of its own requires what GET does. The path
// of each server comes before the templates, with the defaults of its variables; the
// host of a server does not matter. A slash at the end of the path makes no difference
// unless the document has both paths.
//
// Servers read some requests in different ways: paths with `%2F`, `//`, `/../`, `;`, a
// backslash, a double encoding or other capitals, and the field
// X-HTTP-Method-Override. Such a request counts for an operation only where all
// readings require the same.
//
// Of the alternatives in `security` one must hold, and of a combination everything.
// `security: []`, or none at all, makes an operation public: it passes without an
// identity, whatever credential it has. With an empty alternative a request without
// credentials passes as anonymous. The other requirements of the gate apply on top;
// with such a line no operation is public. All credentials of a combination must be
// valid. The caller is that of the first scheme in the order of the gate.
//
// A security scheme of the document is the scheme of the gate with the same name, or
// all those that take its kind of credential. The kind is a bearer token for `oauth2`,
// `openIdConnect` and `http` with `bearer`. The line `scheme` is needed if several of
// both remain. Lists of scopes are roles for the types `http`, `apiKey` and
// `mutualTLS`, as OpenAPI 3.1 says.
//
// References within the document are followed. References to other documents, and
// circular ones, are errors if an operation depends on them. Nothing else is ever
// fetched.
type Policy struct {
	// The document: a path, or a URL that begins with https (http only for this
	// machine). A file is read when the configuration loads and when it changes; an
	// invalid one is an error with its line. A URL is fetched after that and
	// then every `refresh`; requests are 503 until the first document is there. An
	// invalid later version is logged, and the last valid one stays. At most 16 MiB
	// and a million values, with the aliases of YAML expanded. Required.
	Document string `json:"document"`

	// The answer to an authenticated caller for an operation that is not in the
	// document: `404`, the one of a missing page, or `403`. `allow` decides by the
	// other lines of the gate alone. Unauthenticated callers get 401. Default: `404`.
	Undeclared string `json:"undeclared,omitempty"`

	// The schemes of the gate for a security scheme of the document, by its name.
	Schemes map[string][]string `json:"schemes,omitempty"`

	// `any` or `all`: how many of the alternatives in `security` must hold. OpenAPI
	// means `any`. FastAPI requires all dependencies of an operation and lists them
	// as alternatives: write `all` where operations have several. Default: `any`.
	Alternatives string `json:"alternatives,omitempty"`

	// Paths that replace those of the servers, such as `/` behind a handler that
	// strips a prefix.
	BasePaths []string `json:"base_paths,omitempty"`

	// The time between two fetches of a URL. Default: 1m; at least 1s.
	Refresh caddy.Duration `json:"refresh,omitempty"`

	// Hosts that may be reached without TLS.
	AllowHTTP []string `json:"allow_http,omitempty"`

	release func() error
	stop    func()
	current atomic.Bool
}

// The values of [Policy.Undeclared] and [Policy.Alternatives].
const (
	UndeclaredMissing   = "404"
	UndeclaredForbidden = "403"
	UndeclaredAllow     = "allow"

	alternativesAny = "any"
	alternativesAll = "all"
)

const (
	defaultRefresh = time.Minute
	minRefresh     = time.Second
)

// Check reports what is wrong with the configuration.
func (p *Policy) Check() error {
	switch {
	case p.Document == "":
		return errors.New("openapi: write the path or the URL of a document")
	case !slices.Contains([]string{"", UndeclaredMissing, UndeclaredForbidden, UndeclaredAllow}, p.Undeclared):
		return fmt.Errorf("openapi: invalid undeclared %q: write 404, 403 or allow", p.Undeclared)
	case !slices.Contains([]string{"", alternativesAny, alternativesAll}, p.Alternatives):
		return fmt.Errorf("openapi: invalid alternatives %q: write any or all", p.Alternatives)
	case p.Refresh != 0 && time.Duration(p.Refresh) < minRefresh:
		return fmt.Errorf("openapi: refresh is below %s", minRefresh)
	case !p.isRemote() && (p.Refresh != 0 || len(p.AllowHTTP) > 0):
		return errors.New("openapi: refresh and allow_http are for a URL: a file is read when it changes")
	}
	for _, base := range p.BasePaths {
		if !strings.HasPrefix(base, "/") || strings.ContainsAny(base, "{}?#") {
			return fmt.Errorf("openapi: invalid base_path %q: write for example /api/v1", base)
		}
	}
	if p.isRemote() {
		return idp.InLine("openapi", idp.CheckURL(p.Document, p.AllowHTTP...))
	}
	return nil
}

func (p *Policy) isRemote() bool { return strings.Contains(p.Document, "://") }

// Describe says in one line what the gate goes by; empty without a policy.
func (p *Policy) Describe() string {
	if p == nil {
		return ""
	}
	return "openapi " + p.Name()
}

// Name is the document as logs and metrics have it.
func (p *Policy) Name() string { return idp.Loggable(p.Document) }

// Current reports whether the latest version of the document is in use.
func (p *Policy) Current() bool { return p.current.Load() }

// Follow hands the document to use, now and whenever it changes, until ctx ends or
// [Policy.Release] is called. The error is of the first version, if that is known.
func (p *Policy) Follow(ctx caddy.Context, use func(*openapi.API) error) error {
	source, err := p.source()
	if err != nil {
		return err
	}
	load := func(content []byte) error {
		document, err := openapi.ParseAny(content)
		if err != nil {
			return err
		}
		api, err := source.Read(document)
		if err != nil {
			return err
		}
		return use(api)
	}
	observe := func(err error) { p.current.Store(err == nil) }
	switch {
	case !p.isRemote():
		return watch.Observed(ctx, p.Document, ctx.Logger(), load, observe)
	case copies != nil:
		content, err := p.readCopy()
		if err == nil {
			err = load(content)
		}
		return err
	}
	var shared *remote
	if shared, p.release, err = openRemote(p.Document, time.Duration(p.Refresh)); err != nil {
		return err
	}
	p.stop, err = shared.follow(load, observe, ctx.Logger().With(zap.String("url", p.Name())))
	return err
}

// Release ends what Follow began.
func (p *Policy) Release() error {
	if p == nil || p.release == nil {
		return nil
	}
	p.stop()
	return p.release()
}

// ReadBlock sets up the policy from Caddyfile tokens. Syntax:
//
//	openapi <file or URL> {
//		undeclared   404|403|allow
//		scheme       <name in the document> <scheme>...
//		alternatives any|all
//		base_path    <path>...
//		refresh      <duration>
//		allow_http   <host>...
//	}
func (p *Policy) ReadBlock(d *caddyfile.Dispenser) error {
	start := block.Here(d)
	if !d.AllArgs(&p.Document) {
		return d.Err("write `openapi <file or URL>`")
	}
	err := block.Read(d, block.Lines{
		"undeclared":   block.String(&p.Undeclared),
		"scheme":       p.readScheme,
		"alternatives": block.String(&p.Alternatives),
		"base_path":    block.Strings(&p.BasePaths),
		"refresh":      block.Duration(&p.Refresh),
		"allow_http":   block.Strings(&p.AllowHTTP),
	})
	if err != nil {
		return err
	}
	return start.Wrap(p.Check())
}

func (p *Policy) readScheme(d *caddyfile.Dispenser) error {
	arguments, err := block.List(d)
	if err != nil {
		return err
	}
	if len(arguments) < 2 || arguments[0] == "" {
		return d.Err("write `scheme <name in the document> <scheme>...`")
	}
	if _, twice := p.Schemes[arguments[0]]; twice {
		return d.Errf("duplicate scheme %s: keep one", arguments[0])
	}
	if p.Schemes == nil {
		p.Schemes = make(map[string][]string)
	}
	p.Schemes[arguments[0]] = arguments[1:]
	return nil
}
