package requireauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/internal/dryrun"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/openapi"
)

// object is a JSON object of a configuration.
type object = map[string]any

// loadOffline loads the gates of a configuration and what is in front of them,
// and nothing that would listen, connect or write. It calls change with the apps
// before. From then on this process keeps off the network.
func loadOffline(config []byte, change func(apps object) error) (*explainer, error) {
	idp.StayOffline()
	openapi.StayOffline()
	var written struct {
		Apps object `json:"apps"`
	}
	if err := json.Unmarshal(caddy.RemoveMetaFields(config), &written); err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	servers, _ := written.Apps["http"].(object)
	if servers == nil {
		return nil, errors.New("the configuration has no HTTP servers")
	}
	auth, _ := written.Apps["auth"].(object)
	if auth == nil {
		auth = object{}
	}
	delete(auth, "store") // what is revoked is known to running servers only
	dryrun.Harmless(servers)
	members := object{"auth": auth, "http": servers}
	if err := change(members); err != nil {
		return nil, err
	}
	apps := make(caddy.ModuleMap)
	for name, app := range members {
		text, err := json.Marshal(app)
		if err != nil {
			return nil, err
		}
		apps[name] = text
	}
	ctx, err := caddy.ProvisionContext(&caddy.Config{AppsRaw: apps, Admin: &caddy.AdminConfig{Disabled: true}, Logging: silent()})
	if err != nil {
		return nil, err
	}
	app, err := ctx.App("auth")
	if err != nil {
		return nil, err
	}
	http, err := ctx.App("http")
	if err != nil {
		return nil, err
	}
	return newExplainer(app.(*App), http.(*caddyhttp.App)), nil
}

// silent is logging of nothing: an explanation is an answer, not an event.
func silent() *caddy.Logging {
	return &caddy.Logging{Logs: map[string]*caddy.CustomLog{
		"default": {BaseLog: caddy.BaseLog{WriterRaw: json.RawMessage(`{"output": "discard"}`)}},
	}}
}

// withKeys has bearer schemes that would fetch keys read a file.
func withKeys(jwks string) func(object) error {
	return func(apps object) error {
		path, err := filepath.Abs(jwks)
		if jwks != "" && err == nil {
			giveKeys(apps, path)
		}
		return err
	}
}

// giveKeys has all bearer schemes read a file instead of fetching keys.
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
	correct := func(checks []trace.Check) {
		for i := range checks {
			if checks[i].Check == "revocation" && checks[i].Result == trace.OK {
				checks[i].Result, checks[i].Detail = trace.Skipped, "only a running server has the revocations"
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
