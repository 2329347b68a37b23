package harness

import (
	"crypto/tls"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

func init() {
	caddy.RegisterModule(loadMarker{})
}

// loads counts how often a configuration was loaded.
var loads atomic.Int64

// loadMarker is a condition of TLS handshakes that always holds. Caddy's apps start
// in any order, so a handshake reads what may have been written when its listener
// was there already, and long before. Over TCP the race detector knows that it
// was before, because reading from a connection orders the two; over UDP looking
// at the counter does.
type loadMarker struct{}

func (loadMarker) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "tls.handshake_match.loaded", New: func() caddy.Module { return new(loadMarker) }}
}

// Match looks at the counter.
func (loadMarker) Match(*tls.ClientHelloInfo) bool { return loads.Load() >= 0 }

// orderHandshakes adds the condition to all servers of a configuration.
func orderHandshakes(config map[string]any) {
	apps, _ := config["apps"].(map[string]any)
	http, _ := apps["http"].(map[string]any)
	servers, _ := http["servers"].(map[string]any)
	for _, server := range servers {
		server, _ := server.(map[string]any)
		policies, _ := server["tls_connection_policies"].([]any)
		for _, policy := range policies {
			policy, _ := policy.(map[string]any)
			match, _ := policy["match"].(map[string]any)
			if match == nil {
				match = make(map[string]any)
			}
			match["loaded"] = struct{}{}
			policy["match"] = match
		}
	}
}

// Interface guards
var _ caddytls.ConnectionMatcher = loadMarker{}
