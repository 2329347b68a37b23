package requireauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/dryrun"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// object is a JSON object of a configuration.
type object = map[string]any

// loadOffline loads the gates of a configuration and what is in front of them,
// and nothing that would listen, connect or write. From then on this process
// keeps off the network.
func loadOffline(config []byte, jwks string) (*App, *caddyhttp.App, error) {
	keyset.StayOffline()
	var written struct {
		Apps object `json:"apps"`
	}
	if err := json.Unmarshal(caddy.RemoveMetaFields(config), &written); err != nil {
		return nil, nil, fmt.Errorf("the configuration: %w", err)
	}
	servers, _ := written.Apps["http"].(object)
	if servers == nil {
		return nil, nil, errors.New("the configuration has no HTTP servers")
	}
	auth, _ := written.Apps["auth"].(object)
	if auth == nil {
		auth = object{}
	}
	delete(auth, "store") // what is revoked is known to running servers only
	dryrun.Harmless(servers)
	if jwks != "" {
		path, err := filepath.Abs(jwks)
		if err != nil {
			return nil, nil, err
		}
		giveKeys(auth, path)
		giveKeys(servers, path)
	}
	apps := make(caddy.ModuleMap)
	for name, app := range map[string]object{"auth": auth, "http": servers} {
		text, err := json.Marshal(app)
		if err != nil {
			return nil, nil, err
		}
		apps[name] = text
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{AppsRaw: apps, Admin: &caddy.AdminConfig{Disabled: true}, Logging: silent()})
	if err != nil {
		return nil, nil, err
	}
	app, err := ctx.App("auth")
	if err != nil {
		return nil, nil, err
	}
	http, err := ctx.App("http")
	if err != nil {
		return nil, nil, err
	}
	return app.(*App), http.(*caddyhttp.App), nil
}

// silent is logging of nothing: an explanation is an answer, not an event.
func silent() *caddy.Logging {
	return &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output": "discard"}`)}},
	}}
}

// giveKeys has bearer schemes that would fetch keys read a file, wherever the
// schemes stand.
func giveKeys(value any, path string) {
	switch value := value.(type) {
	case []any:
		for _, member := range value {
			giveKeys(member, path)
		}
	case object:
		if fetches(value) {
			value["jwks"] = path
		}
		for _, member := range value {
			giveKeys(member, path)
		}
	}
}

func fetches(scheme object) bool {
	if scheme["scheme"] != "bearer" || scheme["hmac_secret"] != nil {
		return false
	}
	if address, named := scheme["jwks"].(string); named {
		return strings.Contains(address, "://")
	}
	return scheme["key_files"] == nil && scheme["issuer"] != nil
}

// withoutRevocations takes back that nothing was revoked: only a running server
// knows.
func (e *Explanation) withoutRevocations() {
	correct := func(checks []authn.Check) {
		for i := range checks {
			if checks[i].Check == "revocation" && checks[i].Result == authn.CheckOK {
				checks[i].Result, checks[i].Detail = authn.CheckSkipped, "only a running server knows what was revoked"
			}
		}
	}
	for _, gate := range e.Gates {
		correct(gate.Checks)
	}
	for _, scheme := range e.Schemes {
		correct(scheme.Checks)
	}
}
