package bearer

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// TestRelease looks at a provider: a configuration that is gone has no
// connection to it, not even an idle one.
func TestRelease(t *testing.T) {
	opened, closed := make(chan net.Conn, 10), make(chan net.Conn, 10)
	provider := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = w.Write([]byte(`{"active":false}`))
			return
		}
		_, _ = w.Write([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`))
	}))
	provider.Config.ConnState = func(connection net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			opened <- connection
		case http.StateClosed:
			closed <- connection
		}
	}
	provider.Start()
	t.Cleanup(provider.Close)

	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	b := &Bearer{
		Issuer: testIssuer, Audiences: []string{testAudience}, JWKS: provider.URL + "/jwks",
		Introspection: &Introspection{Endpoint: provider.URL + "/introspect", ClientID: "gate", ClientSecret: "hush"},
	}
	if err := b.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if keys, err := b.keys[0].keys.Find(t.Context(), keyset.Query{KeyID: "1", Algorithm: "EdDSA"}); err != nil || len(keys) != 1 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	if _, err := b.remote.Introspect(t.Context(), "opaque", func() string { return "" }); err != nil {
		t.Fatal(err)
	}
	if err := b.Cleanup(); err != nil {
		t.Fatal(err)
	}
	t.Run("GW-5: connections to a provider end with the configuration", func(t *testing.T) {
		for range len(opened) {
			select {
			case <-closed:
			case <-time.After(10 * time.Second):
				t.Fatalf("of %d connections one is left open", len(opened))
			}
		}
	})
}
