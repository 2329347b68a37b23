package requireauth

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/routes"
)

// inventory knows all schemes and gates of a configuration, for the operator.
// It is filled while the configuration is loaded.
type inventory struct {
	mutex   sync.RWMutex
	schemes []declaredScheme
	gates   []*RequireAuth
}

// declaredScheme is a scheme and where it was declared.
type declaredScheme struct {
	name string
	authn.Scheme
	gate *RequireAuth // nil for one of the app
}

// add adds a gate, or the app if there is none, with the schemes that are
// declared there.
func (i *inventory) add(gate *RequireAuth, schemes map[string]authn.Scheme) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if gate != nil {
		i.gates = append(i.gates, gate)
	}
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		i.schemes = append(i.schemes, declaredScheme{name: name, Scheme: schemes[name], gate: gate})
	}
}

// all returns the schemes by name, those of the app first.
func (i *inventory) all() []declaredScheme {
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	all := slices.Clone(i.schemes)
	slices.SortStableFunc(all, func(a, b declaredScheme) int { return strings.Compare(a.name, b.name) })
	return all
}

// gatesOf returns the gates that accept a scheme.
func (i *inventory) gatesOf(scheme authn.Scheme) []*RequireAuth {
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	var accepting []*RequireAuth
	for _, gate := range i.gates {
		if slices.ContainsFunc(gate.schemes, func(s namedScheme) bool { return s.Scheme == scheme }) {
			accepting = append(accepting, gate)
		}
	}
	return accepting
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
