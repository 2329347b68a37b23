package dryrun

import (
	"encoding/json"

	"github.com/excorp/caddy-require-auth/internal/routes"
)

// Harmless removes the parts of an HTTP app's configuration that have an effect at
// load. These are health checks, connections, files that only the serving machine has,
// and certificates, for which Caddy would create an authority. Redirects to https stay.
// A replaced handler keeps its name.
func Harmless(app map[string]any) {
	servers, _ := app["servers"].(map[string]any)
	for _, server := range servers {
		server, ok := server.(map[string]any)
		if !ok {
			continue
		}
		for _, name := range []string{"listener_wrappers", "packet_conn_wrappers", "tls_connection_policies", "logs", "metrics", "trusted_proxies"} {
			delete(server, name)
		}
		automatic, _ := server["automatic_https"].(map[string]any)
		if automatic == nil {
			automatic = map[string]any{}
			server["automatic_https"] = automatic
		}
		automatic["disable_certificates"] = true
		disarm(server)
	}
}

// disarm replaces handlers in all routes.
func disarm(value any) any {
	switch value := value.(type) {
	case []any:
		for i := range value {
			value[i] = disarm(value[i])
		}
	case map[string]any:
		if name, ok := value["handler"].(string); ok {
			if h := (routes.Handler{Name: name}); !h.Safe() {
				if config, err := json.Marshal(value); err == nil {
					h.Config = config
				}
				return map[string]any{"handler": "vars", HandlerVariable: name, kindVariable: inertFor(h).kind}
			}
		}
		for name, member := range value {
			value[name] = disarm(member)
		}
	}
	return value
}
