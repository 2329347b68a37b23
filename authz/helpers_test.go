package authz

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/authn"
)

// provisioned is a requirement that is ready, as a gate has it.
func provisioned(t *testing.T, q Requirement, implies map[string][]string) *Requirement {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := q.Provision(ctx, implies); err != nil {
		t.Fatal(err)
	}
	return &q
}

// requestOf is a request whose placeholders speak of a caller, as the gate has
// them do.
func requestOf(caller *authn.Identity) *http.Request {
	replacer := caddy.NewReplacer()
	r := caddyhttp.PrepareRequest(httptest.NewRequest(http.MethodGet, "/reports/7", nil), replacer, httptest.NewRecorder(), nil)
	replacer.Map(func(key string) (any, bool) {
		switch key {
		case ClaimsPlaceholder:
			return caller.Claims.All(), true
		case ScopesPlaceholder:
			return caller.Scopes, true
		case RolesPlaceholder:
			return caller.Roles, true
		case UserPlaceholder, "http.auth.user.id":
			return caller.ID, true
		}
		return nil, false
	})
	return r
}

func decide(t *testing.T, q Requirement, implies map[string][]string, caller *authn.Identity) Decision {
	t.Helper()
	decision := provisioned(t, q, implies).Decide(requestOf(caller), caller)
	if decision.Allowed != (decision.Code == "") || decision.Allowed != (decision.Reason == nil) {
		t.Errorf("allowed %t with code %q because of %v", decision.Allowed, decision.Code, decision.Reason)
	}
	return decision
}
