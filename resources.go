package requireauth

import (
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/cors"
	"github.com/excorp/caddy-require-auth/resource"
)

// registry knows the protected resources of all gates. It is filled while a
// configuration is loaded.
type registry struct {
	mutex   sync.RWMutex
	entries []registered
}

type registered struct {
	resource resource.Resource
	facts    resource.Facts
	sites    []*caddyhttp.Subroute
}

// add registers the resource of a gate. Several gates may guard one resource:
// what they say is joined, and what the first configures counts.
func (r *registry) add(guarded resource.Resource, site *caddyhttp.Subroute, schemes []namedScheme, scopes []string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	i := slices.IndexFunc(r.entries, func(e registered) bool { return e.resource.URL == guarded.URL })
	if i < 0 {
		r.entries = append(r.entries, registered{resource: guarded})
		i = len(r.entries) - 1
	}
	r.entries[i].sites = append(r.entries[i].sites, site)
	facts := &r.entries[i].facts
	facts.Scopes = append(facts.Scopes, scopes...)
	for _, scheme := range schemes {
		if describer, ok := scheme.Scheme.(authn.MetadataProvider); ok {
			addDescription(facts, describer.Metadata())
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
	for _, entry := range r.entries {
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

func addDescription(facts *resource.Facts, description authn.SchemeMetadata) {
	if description.Issuer != "" && !slices.Contains(facts.AuthorizationServers, description.Issuer) {
		facts.AuthorizationServers = append(facts.AuthorizationServers, description.Issuer)
	}
	facts.BearerMethods = append(facts.BearerMethods, description.BearerMethods...)
	facts.DPoPAlgorithms = append(facts.DPoPAlgorithms, description.DPoPAlgorithms...)
	facts.DPoPRequired = facts.DPoPRequired || description.DPoPRequired
	facts.CertificateBound = facts.CertificateBound || description.CertificateBound
}

// ResourceFacts returns what the gates of a resource say about it.
func (a *App) ResourceFacts(url string) (resource.Facts, bool) {
	a.resources.mutex.RLock()
	defer a.resources.mutex.RUnlock()
	for _, entry := range a.resources.entries {
		if entry.resource.URL == url {
			return entry.facts, true
		}
	}
	return resource.Facts{}, false
}

// Resources returns the resources of all gates.
func (a *App) Resources() []resource.Resource {
	a.resources.mutex.RLock()
	defer a.resources.mutex.RUnlock()
	all := make([]resource.Resource, len(a.resources.entries))
	for i, entry := range a.resources.entries {
		all[i] = entry.resource
	}
	return all
}

// ReadableByAll reports whether a request is for a document that scripts of
// any origin may read.
func (a *App) ReadableByAll(r *http.Request) bool {
	a.resources.mutex.RLock()
	known := len(a.resources.entries) > 0
	a.resources.mutex.RUnlock()
	return known && resource.Concerns(r)
}

// AnswerPreflight answers a preflight to a document that scripts of any origin
// may read.
func (a *App) AnswerPreflight(w http.ResponseWriter) { resource.AnswerPreflight(w) }

// Interface guard
var _ cors.PublicDocuments = (*App)(nil)
