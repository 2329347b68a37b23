package requireauth

import (
	"net/http"
	"slices"
	"sync"

	"github.com/excorp/caddy-require-auth/authn"
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
}

// add registers the resource of a gate. Several gates may guard one resource:
// what they say is joined, and what the first configures counts.
func (r *registry) add(guarded resource.Resource, schemes []namedScheme, scopes []string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	i := slices.IndexFunc(r.entries, func(e registered) bool { return e.resource.URL == guarded.URL })
	if i < 0 {
		r.entries = append(r.entries, registered{resource: guarded})
		i = len(r.entries) - 1
	}
	facts := &r.entries[i].facts
	facts.Scopes = append(facts.Scopes, scopes...)
	for _, scheme := range schemes {
		if describer, ok := scheme.Scheme.(authn.Describer); ok {
			addDescription(facts, describer.Describe())
		}
	}
}

func addDescription(facts *resource.Facts, description authn.Description) {
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
