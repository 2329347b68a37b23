package requireauth

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/cors"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/routes"
	"github.com/excorp/caddy-require-auth/resource"
	"github.com/excorp/caddy-require-auth/store"
)

// registry holds the schemes, gates and protected resources of a configuration. It
// is filled while the configuration loads.
type registry struct {
	mutex     sync.RWMutex
	schemes   []declaredScheme
	gates     []*RequireAuth
	resources []guardedResource

	// Requests read these without the mutex.
	declared        atomic.Pointer[[]authn.Scheme]
	credentialNames atomic.Pointer[authn.Names] // of the query and of cookies
}

// declaredScheme is a scheme and where it was declared.
type declaredScheme struct {
	name string
	authn.Scheme
	gate *RequireAuth // nil for one of the app
}

// addSchemes adds a gate, or the app for a nil gate, with the schemes that are declared
// there.
func (r *registry) addSchemes(gate *RequireAuth, schemes map[string]authn.Scheme) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if gate != nil {
		r.gates = append(r.gates, gate)
	}
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		r.schemes = append(r.schemes, declaredScheme{name: name, Scheme: schemes[name], gate: gate})
	}
}

// allSchemes returns the schemes by name, those of the app first.
func (r *registry) allSchemes() []declaredScheme {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	all := slices.Clone(r.schemes)
	slices.SortStableFunc(all, func(a, b declaredScheme) int { return strings.Compare(a.name, b.name) })
	return all
}

// gatesOf returns the gates that accept a scheme.
func (r *registry) gatesOf(scheme authn.Scheme) []*RequireAuth {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	var accepting []*RequireAuth
	for _, gate := range r.gates {
		if slices.ContainsFunc(gate.schemes, func(s namedScheme) bool { return s.Scheme == scheme }) {
			accepting = append(accepting, gate)
		}
	}
	return accepting
}

// documents reports for each OpenAPI document whether all gates that go by it use its
// latest version.
func (r *registry) documents() map[string]bool {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	found := make(map[string]bool)
	for _, gate := range r.gates {
		if gate.OpenAPI != nil {
			mapped, seen := found[gate.OpenAPI.Name()]
			found[gate.OpenAPI.Name()] = gate.OpenAPI.Current() && (mapped || !seen)
		}
	}
	return found
}

// kindOf is the name of the module, such as bearer.
func kindOf(scheme authn.Scheme) string {
	if module, ok := scheme.(caddy.Module); ok {
		return module.CaddyModule().ID.Name()
	}
	return ""
}

// positionsIn returns the path of each gate in Caddy's config API, so that
// `GET /config/…` shows the gate.
func positionsIn(app *caddyhttp.App) map[*RequireAuth]string {
	found := make(map[*RequireAuth]string)
	for name, server := range app.Servers {
		described, _ := routes.OfServer(name, server) // errors are of JSON that is not loaded yet
		for handler := range described.Handlers() {
			if gate, ok := handler.Live.(*RequireAuth); ok {
				found[gate] = handler.Where
			}
		}
	}
	return found
}

// declare gives schemes the store and adds them to those by which preflights
// are recognized.
func (a *App) declare(more []authn.Scheme) {
	for _, scheme := range more {
		if user, ok := scheme.(store.User); ok {
			user.UseStore(a.store)
		}
	}
	for {
		schemes := a.registry.declared.Load()
		var all []authn.Scheme
		if schemes != nil {
			all = slices.Clone(*schemes)
		}
		all = append(all, more...)
		if a.registry.declared.CompareAndSwap(schemes, &all) {
			var locations []authn.Location
			for _, scheme := range all {
				if lister, ok := scheme.(capability.LocationLister); ok {
					locations = append(locations, lister.Locations()...)
				}
			}
			a.registry.credentialNames.Store(new(authn.Names).At(locations))
			return
		}
	}
}

// CarriesCredential reports whether a request has a credential of any scheme
// that is declared, here or in a gate. No browser sends one with a preflight,
// apart from one in the URL, which a preflight repeats, and what belongs
// to the connection.
func (a *App) CarriesCredential(r *http.Request) bool {
	request := authn.NewRequest(r)
	request.Expect(a.registry.credentialNames.Load())
	return carriesCredential(request, *a.registry.declared.Load())
}

func carriesCredential(request *authn.Request, schemes []authn.Scheme) bool {
	return slices.ContainsFunc(schemes, func(scheme authn.Scheme) bool {
		credential, err := scheme.Find(request)
		return err != nil || credential.Found() && credential.Location.Kind != authn.InQuery && credential.Location.Kind != authn.InTLS
	})
}

// credentialLocations returns all locations of a request where a declared scheme may
// find a credential. A scheme that lists no locations is asked what it finds.
func (a *App) credentialLocations(request *authn.Request) []authn.Location {
	locations := []authn.Location{authn.AuthorizationField}
	for _, scheme := range *a.registry.declared.Load() {
		if lister, ok := scheme.(capability.LocationLister); ok {
			locations = append(locations, lister.Locations()...)
		} else if location := locationFoundBy(scheme, request); location.Kind != "" {
			locations = append(locations, location)
		}
	}
	return locations
}

// locationFoundBy returns where a scheme finds a credential. A scheme that panics,
// which has already denied the request, finds none.
func locationFoundBy(scheme authn.Scheme, request *authn.Request) (location authn.Location) {
	defer func() { _ = recover() }()
	credential, err := scheme.Find(request)
	if err != nil {
		return authn.Location{}
	}
	return credential.Location
}

// guardedResource is a protected resource with what its gates publish about it.
type guardedResource struct {
	resource resource.Resource
	facts    resource.Facts
	sites    []*caddyhttp.Subroute
	gates    []*RequireAuth
}

// addResource adds the resource of a gate. Several gates may guard one resource:
// what they say is joined, and what the first configures counts.
func (r *registry) addResource(gate *RequireAuth, site *caddyhttp.Subroute) {
	guarded := *gate.Resource
	r.mutex.Lock()
	defer r.mutex.Unlock()
	i := slices.IndexFunc(r.resources, func(e guardedResource) bool { return e.resource.URL == guarded.URL })
	if i < 0 {
		r.resources = append(r.resources, guardedResource{resource: guarded})
		i = len(r.resources) - 1
	}
	if r.resources[i].resource.Facade == nil {
		r.resources[i].resource.Facade = guarded.Facade
	}
	r.resources[i].sites = append(r.resources[i].sites, site)
	r.resources[i].gates = append(r.resources[i].gates, gate)
	facts := &r.resources[i].facts
	facts.Scopes = append(facts.Scopes, gate.ChallengeScopes()...)
	for _, scheme := range gate.schemes {
		if provider, ok := scheme.Scheme.(capability.MetadataProvider); ok {
			addMetadata(facts, provider.Metadata())
		}
	}
}

// routesAround returns the outermost routes around a module, which in a Caddyfile are
// those of its site; nil for the routes of the server.
func routesAround(ctx caddy.Context) *caddyhttp.Subroute {
	for _, module := range ctx.Modules() {
		if site, ok := module.(*caddyhttp.Subroute); ok {
			return site
		}
	}
	return nil
}

// originFor returns the origin of the protected resource that covers a path: the
// one with the longest path, empty for none. The resource belongs to the site, or
// has the host of the request where one of both is among the routes of the server.
func (r *registry) originFor(site *caddyhttp.Subroute, ofRequest, path string) string {
	_, host, _ := strings.Cut(ofRequest, "://")
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	origin, longest := "", -1
	for _, entry := range r.resources {
		base, candidate := entry.resource.Path(), entry.resource.Origin()
		if len(base) <= longest || !entry.resource.Covers(path) {
			continue
		}
		ofServer := site == nil || slices.Contains(entry.sites, nil)
		if slices.Contains(entry.sites, site) && site != nil || ofServer && strings.HasSuffix(candidate, "://"+host) {
			origin, longest = candidate, len(base)
		}
	}
	return origin
}

func addMetadata(facts *resource.Facts, metadata capability.SchemeMetadata) {
	if metadata.Issuer != "" && !slices.Contains(facts.AuthorizationServers, metadata.Issuer) {
		facts.AuthorizationServers = append(facts.AuthorizationServers, metadata.Issuer)
	}
	facts.BearerMethods = append(facts.BearerMethods, metadata.BearerMethods...)
	facts.DPoPAlgorithms = append(facts.DPoPAlgorithms, metadata.DPoPAlgorithms...)
	facts.DPoPRequired = facts.DPoPRequired || metadata.DPoPRequired
	facts.CertificateBound = facts.CertificateBound || metadata.CertificateBound
}

// ResourceFacts returns what the gates of a resource say about it.
func (a *App) ResourceFacts(url string) (resource.Facts, bool) {
	a.registry.mutex.RLock()
	defer a.registry.mutex.RUnlock()
	for _, entry := range a.registry.resources {
		if entry.resource.URL == url {
			facts := entry.facts
			for _, gate := range entry.gates {
				if loaded := gate.operations.Load(); loaded != nil {
					facts.Scopes = slices.Concat(facts.Scopes, loaded.scopes)
				}
			}
			if entry.resource.Facade != nil {
				facts.AuthorizationServers = []string{url}
			}
			return facts, true
		}
	}
	return resource.Facts{}, false
}

// Resources returns the resources of all gates.
func (a *App) Resources() []resource.Resource {
	a.registry.mutex.RLock()
	defer a.registry.mutex.RUnlock()
	all := make([]resource.Resource, len(a.registry.resources))
	for i, entry := range a.registry.resources {
		all[i] = entry.resource
	}
	return all
}

// ReadableByAll reports whether a request is for a document that scripts of
// any origin may read.
func (a *App) ReadableByAll(r *http.Request) bool {
	a.registry.mutex.RLock()
	defer a.registry.mutex.RUnlock()
	if len(a.registry.resources) > 0 && resource.Concerns(r) {
		return true
	}
	return slices.ContainsFunc(a.registry.resources, func(entry guardedResource) bool { return entry.resource.HasPublicFacade(r) })
}

// AnswerPreflight answers a preflight to a document that scripts of any origin
// may read.
func (a *App) AnswerPreflight(w http.ResponseWriter) { resource.AnswerPreflight(w) }

// Interface guard
var _ cors.PublicDocuments = (*App)(nil)
