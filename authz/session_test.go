package authz

import (
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestSession(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	five := caddy.Duration(5 * time.Minute)
	for name, tc := range map[string]struct {
		session Session
		claims  map[string]any
		missing string
	}{
		"nothing is required":                     {Session{}, nil, ""},
		"R9470-2: the first acr":                  {Session{ACR: []string{"gold", "silver"}}, map[string]any{"acr": "gold"}, ""},
		"R9470-2: any acr suffices":               {Session{ACR: []string{"gold", "silver"}}, map[string]any{"acr": "silver"}, ""},
		"R9470-1: another acr":                    {Session{ACR: []string{"gold"}}, map[string]any{"acr": "bronze"}, "acr"},
		"R9470-1: no acr":                         {Session{ACR: []string{"gold"}}, nil, "acr"},
		"R9470-1: acr of another type":            {Session{ACR: []string{"gold"}}, map[string]any{"acr": []any{"gold"}}, "acr"},
		"R9470-3: a fresh login":                  {Session{MaxAge: five}, map[string]any{"auth_time": now.Unix() - 300}, ""},
		"R9470-3: a login one second too old":     {Session{MaxAge: five}, map[string]any{"auth_time": now.Unix() - 301}, "max_age"},
		"R9470-3: a fraction of a second too old": {Session{MaxAge: five}, map[string]any{"auth_time": float64(now.Unix()) - 301.5}, "max_age"},
		"R9470-3: a fraction of a second younger": {Session{MaxAge: five}, map[string]any{"auth_time": float64(now.Unix()) - 299.5}, ""},
		"R9470-3: no auth_time":                   {Session{MaxAge: five}, nil, "max_age"},
		"R9470-3: auth_time is a string":          {Session{MaxAge: five}, map[string]any{"auth_time": "1000000000"}, "max_age"},
		"R9470-3: auth_time is in the future":     {Session{MaxAge: five}, map[string]any{"auth_time": now.Unix() + 11}, "max_age"},
		"R9470-3: clocks differ a little":         {Session{MaxAge: five}, map[string]any{"auth_time": now.Unix() + 10}, ""},
		"R9470-3: auth_time is negative":          {Session{MaxAge: five}, map[string]any{"auth_time": int64(-1)}, "max_age"},
		"R9470-3: auth_time is out of range":      {Session{MaxAge: five}, map[string]any{"auth_time": 1e300}, "max_age"},
	} {
		t.Run(name, func(t *testing.T) {
			tc.session.now = func() time.Time { return now }
			decision := tc.session.decide(&authn.Identity{Claims: authn.ClaimsOf(tc.claims)})
			switch {
			case tc.missing == "" && decision != nil:
				t.Errorf("denied: %v", decision.Reason)
			case tc.missing != "" && (decision == nil || decision.Allowed || decision.Code != authn.CodeInsufficientSession || decision.Missing[0] != tc.missing):
				t.Errorf("got %+v, want a denial for %s", decision, tc.missing)
			}
		})
	}
}

func TestSessionCheck(t *testing.T) {
	for name, session := range map[string]Session{
		"acr with a quote":     {ACR: []string{`a"b`}},
		"acr with a space":     {ACR: []string{"a b"}},
		"negative max_age":     {MaxAge: -1},
		"fraction of a second": {MaxAge: caddy.Duration(1500 * time.Millisecond)},
		"empty acr":            {ACR: []string{""}},
	} {
		if session.check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
