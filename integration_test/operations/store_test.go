package operations

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	requireauth "github.com/excorp/caddy-require-auth"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/memory"
)

func init() {
	caddy.RegisterModule(new(away))
}

// away is a store that is out of reach.
type away struct{ store.Store }

func (*away) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "auth.stores.away", New: func() caddy.Module { return &away{memory.New()} }}
}

func (*away) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func (*away) Publish(context.Context, store.Entry) error { return errors.New("nobody is there") }
func (*away) Healthy() bool                              { return false }

func TestStoreAway(t *testing.T) {
	s := harness.StartWithAdmin(t, strings.Replace(one, "auth {", "auth {\n\t\tstore away", 1))
	wantError(t, post(s, "/auth/revocations", `{"jti": "a"}`), http.StatusServiceUnavailable, "the revocation failed")
	if got := value(t, s, "caddy_auth_store_up"); got != 0 {
		t.Errorf("store up %g", got)
	}
	list := decode[requireauth.SchemeList](t, s.Do("GET", s.AdminURL("/auth/schemes")))
	if list.Store != (requireauth.StoreStatus{Kind: "away"}) {
		t.Errorf("%+v", list.Store)
	}
}
