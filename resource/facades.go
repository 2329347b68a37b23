package resource

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/cors"
	"github.com/excorp/caddy-require-auth/internal/dryrun"
	"github.com/excorp/caddy-require-auth/resource/facade"
)

// servedEndpoint is an endpoint of one facade.
type servedEndpoint struct {
	facade *facade.Facade
	facade.Endpoint
}

// facades are endpoints by their canonical paths.
type facades map[string]servedEndpoint

// add adds the endpoints of a resource with a facade.
func (f facades) add(resource *Resource) {
	for path, endpoint := range facade.Paths(resource.Path()) {
		f[canonical(path)] = servedEndpoint{resource.Facade, endpoint}
	}
}

// find returns the endpoint for a request, or nil. It compares paths letter by
// letter.
func (f facades) find(r *http.Request) *servedEndpoint {
	if len(f) == 0 || !strings.HasPrefix(r.URL.Path, "/.well-known/") {
		return nil // nearly all requests
	}
	escaped := r.URL.EscapedPath()
	if len(escaped) > maxPath {
		return nil
	}
	if found, ok := f[canonical(escaped)]; ok {
		return &found
	}
	return nil
}

// findFacades returns the facades of the gates whose resources are on a host of this
// handler. The metadata of a single facade is also at the well-known path of the host,
// where older clients look.
func (h *Handler) findFacades() facades {
	found := make(facades)
	directory, ok := h.directory()
	if !ok {
		return found
	}
	var last *Resource
	count := 0
	for _, resource := range directory.Resources() {
		sameHost := slices.ContainsFunc(h.Resources, func(own Resource) bool { return own.Origin() == resource.Origin() })
		if resource.Facade == nil || !sameHost {
			continue
		}
		found.add(&resource)
		last = &resource
		count++
	}
	if count == 1 {
		for _, location := range []string{facade.MetadataPath, facade.OpenIDPath} {
			found[location] = found[canonical(location+last.Path())]
		}
	}
	return found
}

// serve answers a request for an endpoint. A dry run calls no provider.
func (s *servedEndpoint) serve(w http.ResponseWriter, r *http.Request) {
	if !s.Pure && dryrun.In(r.Context()) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if s.Public {
		caddyhttp.SetVar(r.Context(), cors.PublicDocumentVar, true)
		if r.Method == http.MethodOptions {
			AnswerPreflight(w)
			return
		}
		allowAnyOrigin(w.Header())
	}
	s.Serve(s.facade, w, r)
}

// HasPublicFacade reports whether a request is for a public endpoint of the resource's
// facade. Scripts of every origin may call such an endpoint.
func (r *Resource) HasPublicFacade(request *http.Request) bool {
	if r.Facade == nil || !strings.HasPrefix(request.URL.Path, "/.well-known/") {
		return false
	}
	all := make(facades)
	all.add(r)
	found := all.find(request)
	return found != nil && found.Public
}
