package resourceserver

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

// issuer is an introspection endpoint that knows some opaque tokens.
type issuer struct {
	*httptest.Server
	tokens map[string]map[string]any
	down   atomic.Bool
	calls  atomic.Int32
}

func newIssuer(t *testing.T, tokens map[string]map[string]any) *issuer {
	t.Helper()
	i := &issuer{tokens: tokens}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.calls.Add(1)
		if id, secret, _ := r.BasicAuth(); id != "gateway" || secret != "hush" || i.down.Load() {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		answer := map[string]any{"active": false}
		if claims, known := i.tokens[r.PostFormValue("token")]; known {
			answer = claims
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(i.Close)
	return i
}

func opaque(t *testing.T, i *issuer) *harness.Server {
	t.Helper()
	return harness.Start(t, strings.ReplaceAll(`
{
	auth {
		realm api
		bearer asked {
			audience https://api.example.com
			dpop optional
			introspection ENDPOINT {
				client_id gateway
				client_secret hush
			}
		}
		bearer both {`+harness.BearerLines+`
			introspection ENDPOINT {
				client_id gateway
				client_secret hush
				cache 0s
			}
		}
	}
}
http://localhost:8080 {
	require_auth /asked asked {
		forward X-User {http.auth.user.id}
	}
	require_auth /scope asked {
		scope admin
	}
	require_auth /both both
	respond "{header.X-User}"
}
`, "ENDPOINT", i.URL+"/introspect"))
}

func TestIntrospection(t *testing.T) {
	const audience = harness.Audience
	later := time.Now().Add(time.Hour).Unix()
	i := newIssuer(t, map[string]map[string]any{
		"good":       {"active": true, "aud": audience, "sub": "alice", "scope": "read", "exp": later},
		"named":      {"active": true, "aud": audience, "username": "bob"},
		"admin":      {"active": true, "aud": []string{audience}, "sub": "carol", "scope": "admin", "exp": later},
		"noaudience": {"active": true, "sub": "alice", "exp": later},
		"foreign":    {"active": true, "aud": "https://other.example.com", "sub": "alice", "exp": later},
		"old":        {"active": true, "aud": audience, "sub": "alice", "exp": time.Now().Add(-time.Hour).Unix()},
		"early":      {"active": true, "aud": audience, "sub": "alice", "nbf": later},
		"refresh":    {"active": true, "aud": audience, "sub": "alice", "token_type": "refresh_token"},
		"bound":      {"active": true, "aud": audience, "sub": "alice", "cnf": map[string]any{"jkt": "x"}},
	})
	s := opaque(t, i)
	offered := []string{`Bearer realm="api"`, `DPoP realm="api", ` + algorithms}
	invalid := []string{`Bearer realm="api", error="invalid_token", ` + badToken, offered[1]}
	t.Run("an opaque token lets its user in", func(t *testing.T) {
		for token, user := range map[string]string{"good": "alice", "named": "bob"} {
			if got := s.Get("/asked", harness.Bearer(token)).Want(200, ""); got.Body != user {
				t.Errorf("%s: %q", token, got.Body)
			}
		}
	})
	t.Run("R7662-6: members that are null are none, as some issuers write each that they know", func(t *testing.T) {
		i.tokens["nulls"] = map[string]any{
			"active": true, "aud": audience, "sub": "erin", "iss": nil, "exp": nil, "nbf": nil, "iat": nil, "jti": nil, "scope": nil,
			"client_id": nil, "username": nil, "token_type": nil, "cnf": nil, "nonce": nil,
		}
		i.tokens["null-audience"] = map[string]any{"active": true, "aud": nil, "sub": "erin"}
		for _, path := range []string{"/asked", "/both"} {
			s.Get(path, harness.Bearer("nulls")).Want(200, "")
		}
		s.Get("/asked", harness.Bearer("null-audience")).Want(401, "invalid_token", invalid...)
	})
	t.Run("R7662-5: the answer is kept", func(t *testing.T) {
		before := i.calls.Load()
		for range 5 {
			s.Get("/asked", harness.Bearer("good")).Want(200, "")
		}
		if got := i.calls.Load(); got != before {
			t.Errorf("%d calls", got-before)
		}
	})
	t.Run("R7662-2: what is not active is invalid_token", func(t *testing.T) {
		s.Get("/asked", harness.Bearer("unknown")).Want(401, "invalid_token", invalid...)
	})
	for name, token := range map[string]string{
		"R7662-6: no audience":      "noaudience",
		"R7662-6: another audience": "foreign",
		"R7662-6: not yet valid":    "early",
		"R7662-7: a refresh token":  "refresh",
		"R7662-6: bound to a key":   "bound",
	} {
		t.Run(name, func(t *testing.T) {
			s.Get("/asked", harness.Bearer(token)).Want(401, "invalid_token", invalid...)
		})
	}
	t.Run("R7662-6: expired", func(t *testing.T) {
		s.Get("/asked", harness.Bearer("old")).Want(401, "expired_token",
			`Bearer realm="api", error="invalid_token", error_description="The access token is expired"`, offered[1])
	})
	t.Run("scopes are judged like those of a JWT", func(t *testing.T) {
		s.Get("/scope", harness.Bearer("admin")).Want(200, "")
		s.Get("/scope", harness.Bearer("good")).Want(403, "insufficient_scope",
			`Bearer realm="api", error="insufficient_scope", scope="admin", error_description="The access token lacks a required scope"`)
	})
	t.Run("R9449-9 R7662-6: an opaque token bound to a key, with its proof", func(t *testing.T) {
		h := newHolder(t)
		h.token = "proved"
		i.tokens["proved"] = map[string]any{"active": true, "aud": audience, "sub": "dora", "token_type": "DPoP",
			"cnf": map[string]any{"jkt": dpoptest.Thumbprint(t, h.key.Public())}}
		s.Get("/asked", h.withToken(), h.proof(t, "GET", s.URL("/asked"))).Want(200, "")
		s.Get("/asked", harness.Bearer("proved")).Want(401, "invalid_token", invalid...)
	})
	t.Run("R7662-4 AVAIL-1: an endpoint that fails is 503", func(t *testing.T) {
		i.down.Store(true)
		defer i.down.Store(false)
		answer := s.Get("/asked", harness.Bearer("other")).Want(503, "temporarily_unavailable")
		if answer.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		s.Get("/asked", harness.Bearer("good")).Want(200, "")
		s.Get("/asked").Want(401, "missing_credentials", offered...)
	})
	t.Run("LEAK-5: neither tokens nor secrets are in the log", func(t *testing.T) {
		for _, secret := range []string{"hush", "noaudience", "unknown", "proved"} {
			if strings.Contains(s.LogText(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

func TestIntrospectionBesideJWT(t *testing.T) {
	i := newIssuer(t, map[string]map[string]any{"opaque": {"active": true, "aud": harness.Audience, "sub": "alice"}})
	s := opaque(t, i)
	s.Get("/both", harness.Bearer(harness.Token(t))).Want(200, "")
	if got := i.calls.Load(); got != 0 {
		t.Errorf("a JWT was asked about %d times", got)
	}
	for range 2 {
		s.Get("/both", harness.Bearer("opaque")).Want(200, "")
	}
	if got := i.calls.Load(); got != 2 {
		t.Errorf("%d calls without a cache, want 2", got)
	}
	forged := harness.Token(t)
	s.Get("/both", harness.Bearer(forged[:len(forged)-4]+"AAAA")).Want(401, "invalid_token",
		`Bearer realm="api", error="invalid_token", `+badToken)
	if got := i.calls.Load(); got != 2 {
		t.Error("a forged JWT was asked about")
	}
}
