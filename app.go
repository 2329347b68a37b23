package requireauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/authn"
	_ "github.com/excorp/caddy-require-auth/authn/apikey" // registers auth.schemes.api_key
	_ "github.com/excorp/caddy-require-auth/authn/basic"  // registers auth.schemes.basic
	_ "github.com/excorp/caddy-require-auth/authn/bearer" // registers auth.schemes.bearer
	"github.com/excorp/caddy-require-auth/authn/bruteforce"
	_ "github.com/excorp/caddy-require-auth/authn/clientcert" // registers auth.schemes.client_cert
	_ "github.com/excorp/caddy-require-auth/cors"             // registers http.handlers.auth_cors
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/denial"
	"github.com/excorp/caddy-require-auth/internal/denials"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/internal/page"
	"github.com/excorp/caddy-require-auth/internal/signer"
	"github.com/excorp/caddy-require-auth/securityevents"
	"github.com/excorp/caddy-require-auth/store"
	_ "github.com/excorp/caddy-require-auth/store/memory" // registers auth.stores.memory
	_ "github.com/excorp/caddy-require-auth/store/redis"  // registers auth.stores.redis
)

func init() {
	caddy.RegisterModule(new(App))
}

// App declares authentication schemes once, under names by which the gates of
// all sites, the `require_auth` handlers, refer to them.
//
// In the Caddyfile it is the global option `auth`.
type App struct {
	// The schemes by name.
	SchemesRaw map[string]json.RawMessage `json:"schemes,omitempty" caddy:"namespace=auth.schemes inline_key=scheme"`

	// The realm of all challenges whose scheme names none; `off` sends none.
	// Default: `api`.
	Realm string `json:"realm,omitempty"`

	// Placeholders for the trace id of a denial. The first with a value wins. A value that
	// is invalid in a header field counts as empty, and Caddy's request id is always the
	// last. Default: `{http.request.header.X-Trace-Id}`, then `{http.request.uuid}`.
	TraceID []string `json:"trace_id,omitempty"`

	// Scopes that grant other scopes: a caller with the first has the others too.
	ScopeImplies map[string][]string `json:"scope_implies,omitempty"`

	// A folder of HTML pages in more languages and of other looks: files of
	// texts such as `de.json` and templates such as `401.html`, see
	// docs/pages.md. It is read when the configuration is loaded. Default: the
	// pages that are built in, in English and Korean.
	Pages string `json:"pages,omitempty"`

	// The store for state that outlives a configuration and that several instances share:
	// used proofs of possession, revocations and counters of failed attempts. Default:
	// `memory`.
	StoreRaw json.RawMessage `json:"store,omitempty" caddy:"namespace=auth.stores inline_key=store"`

	// The limits for failed attempts with passwords and API keys. Default: see there.
	Attempts *bruteforce.Limits `json:"attempts,omitempty"`

	// Identity providers whose security events revoke tokens, see docs/security-events.md.
	// Default: none.
	SecurityEvents []*securityevents.Transmitter `json:"security_events,omitempty"`

	store         store.Store
	receiver      *securityevents.Receiver
	eventLogger   *zap.Logger
	pages         *page.Set         // nil for those that are built in
	guard         *bruteforce.Guard // nil: attempts are not counted
	schemes       map[string]authn.Scheme
	registry      registry
	sites         siteRegistry
	events        emitter
	preflights    sync.Map // the sites for which it was logged who answers them
	logger        *zap.Logger
	stopObservers []func()
	signer        *signer.Signer // nil unless a gate signs identities
	wouldDeny     *denials.Summary

	answersChecked bool // see checkAnswers
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "auth",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision loads the schemes.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	a.wouldDeny = denials.New()
	if err := a.check(); err != nil {
		return err
	}
	if a.Realm == "" {
		a.Realm = authn.DefaultRealm
	}
	if len(a.TraceID) == 0 {
		a.TraceID = []string{"{http.request.header." + traceHeader + "}"}
	}
	if a.StoreRaw == nil {
		a.StoreRaw = json.RawMessage(`{"store": "memory"}`)
	}
	loaded, err := ctx.LoadModule(a, "StoreRaw")
	if err != nil {
		return err
	}
	a.store = loaded.(store.Store)
	if a.Pages != "" {
		if a.pages, err = denial.LoadPages(a.Pages); err != nil {
			return err
		}
	}
	if err := a.limitAttempts(ctx); err != nil {
		return err
	}
	if a.schemes, err = loadSchemes(ctx, a, "SchemesRaw"); err != nil {
		return err
	}
	a.declare(slices.Collect(maps.Values(a.schemes)))
	a.registry.addSchemes(nil, a.schemes)
	if a.events, err = newEmitter(ctx); err != nil {
		return err
	}
	a.eventLogger = ctx.Logger(new(securityevents.Handler))
	a.receiver, err = securityevents.Open(ctx, a.SecurityEvents, securityevents.Sink{Store: a.store, Published: func(entry store.Entry) {
		a.observeRevocation(eventRevoked, "a security event revoked tokens", entry)
	}})
	if err != nil {
		return err
	}
	return a.registerMetrics(ctx.GetMetricsRegistry())
}

// loadSchemes loads the schemes in a field of a module.
func loadSchemes(ctx caddy.Context, module any, field string) (map[string]authn.Scheme, error) {
	loaded, err := ctx.LoadModule(module, field)
	if err != nil {
		return nil, err
	}
	modules, _ := loaded.(map[string]any)
	schemes := make(map[string]authn.Scheme, len(modules))
	for name, module := range modules {
		scheme, ok := module.(authn.Scheme)
		if !ok {
			return nil, fmt.Errorf("scheme %q: invalid module %T: it does not implement authn.Scheme", name, module)
		}
		schemes[name] = scheme
	}
	return schemes, nil
}

// check reports what is wrong with the configuration as it is written.
func (a *App) check() error {
	if err := authheader.CheckParameter("realm", a.Realm); err != nil {
		return err
	}
	if a.Attempts != nil {
		if err := a.Attempts.Check(); err != nil {
			return err
		}
	}
	if err := securityevents.Check(a.SecurityEvents); err != nil {
		return err
	}
	if err := checkTraceID(a.TraceID); err != nil {
		return err
	}
	for holder, implied := range a.ScopeImplies {
		if slices.Contains(append(implied, holder), "") || len(implied) == 0 {
			return fmt.Errorf("scope_implies %s: write `scope_implies <scope> <implied scope>...`", holder)
		}
	}
	return nil
}

// Start begins to report failed fetches. Schemes opened what they need in Provision.
func (a *App) Start() error {
	if err := a.sites.check(); err != nil {
		return err
	}
	a.observeFetches()
	if a.signer != nil {
		ctx, stop := context.WithCancel(context.Background()) // ended by Stop
		a.stopObservers = append(a.stopObservers, stop)
		go a.maintainSigner(ctx)
	}
	a.receiver.Start(a.eventLogger)
	return nil
}

// Stop ends what Start began.
func (a *App) Stop() error {
	for _, stop := range a.stopObservers {
		stop()
	}
	a.stopObservers = nil
	a.receiver.Stop()
	return nil
}

// namedScheme is a scheme under the name by which logs speak of it.
type namedScheme struct {
	name string
	authn.Scheme
	metrics *schemeMetrics
	store   store.Store
}

// takesSecrets reports whether the credentials of a scheme are passwords or keys, which
// can be guessed. A nil scheme takes none.
func (s *namedScheme) takesSecrets() bool {
	if s == nil {
		return false
	}
	_, throttled := s.Scheme.(authn.Throttled)
	return throttled
}

func newNamedScheme(name string, scheme authn.Scheme, store store.Store) namedScheme {
	return namedScheme{name: name, Scheme: scheme, metrics: metricsOf(name), store: store}
}

// loginMemory is the memory of logins, which outlives a configuration.
var loginMemory = lasting.Value[*bruteforce.Memory]{New: bruteforce.NewMemory}

// limitAttempts begins to count failed attempts, unless that is off.
func (a *App) limitAttempts(ctx caddy.Context) error {
	var limits bruteforce.Limits
	if a.Attempts != nil {
		limits = *a.Attempts
	}
	if limits.Off {
		return nil
	}
	a.guard = bruteforce.New(limits, a.store, loginMemory.Acquire(), ctx.Logger())
	return nil
}

// Cleanup releases what outlives a configuration.
func (a *App) Cleanup() error {
	err := a.receiver.Close()
	if a.guard != nil {
		err = errors.Join(err, loginMemory.Release())
	}
	if a.signer != nil {
		err = errors.Join(err, signers.Release())
	}
	return err
}

// SecurityEventReceiver returns the receiver of the endpoints `auth_events`.
func (a *App) SecurityEventReceiver() *securityevents.Receiver { return a.receiver }

// choose returns the schemes of a gate that names some, or none: one scheme
// that is declared alone is meant.
func (a *App) choose(names []string) ([]namedScheme, error) {
	if err := checkChoice(names, a.names()); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		names = a.names()
	}
	chosen := make([]namedScheme, len(names))
	for i, name := range names {
		chosen[i] = newNamedScheme(name, a.schemes[name], a.store)
	}
	return chosen, nil
}

func (a *App) names() []string { return slices.Sorted(maps.Keys(a.schemes)) }

// checkChoice reports why a gate cannot mean the schemes it names, given those
// that are declared.
func checkChoice(names, declared []string) error {
	switch {
	case len(names) == 0 && len(declared) == 0:
		return errors.New("no authentication scheme is declared: declare one in the global option `auth`, or in place, for example `bearer { … }`")
	case len(names) == 0 && len(declared) > 1:
		return fmt.Errorf("several schemes are declared: name those accepted here, out of %s", strings.Join(declared, ", "))
	}
	for i, name := range names {
		switch {
		case !slices.Contains(declared, name) && len(declared) == 0:
			return fmt.Errorf("unknown scheme %q: none is declared in the global option `auth`", name)
		case !slices.Contains(declared, name):
			return fmt.Errorf("unknown scheme %q: declared are %s", name, strings.Join(declared, ", "))
		case slices.Contains(names[:i], name):
			return fmt.Errorf("duplicate scheme %q", name)
		}
	}
	return nil
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)

	_ securityevents.Host = (*App)(nil)
)
