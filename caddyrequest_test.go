package requireauth

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/excorp/caddy-require-auth/internal/caddyrequest"
)

// TestCaddyRequest compares what internal/caddyrequest reads with what Caddy writes.
func TestCaddyRequest(t *testing.T) {
	bare := httptest.NewRequest(http.MethodPut, "/before?a=b", nil)
	if _, found := caddyrequest.Original(bare); found || caddyrequest.ClientIP(bare) != "" || caddyrequest.FromTrustedProxy(bare) {
		t.Error("something is read from a request that Caddy has not prepared")
	}
	r := caddyhttp.PrepareRequest(bare, caddy.NewReplacer(), httptest.NewRecorder(), new(caddyhttp.Server))
	r.Method, r.URL.Path = http.MethodGet, "/after"
	if original, found := caddyrequest.Original(r); !found || original.Method != http.MethodPut || original.URL.Path != "/before" {
		t.Errorf("original: %s %s, %v", original.Method, original.URL, found)
	}
	if got := caddyrequest.ClientIP(r); got != "192.0.2.1" || got != caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey) {
		t.Errorf("client: %q", got)
	}
	for _, trusted := range []bool{true, false} {
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, trusted)
		if caddyrequest.FromTrustedProxy(r) != trusted {
			t.Errorf("trusted proxy: %v is read as %v", trusted, !trusted)
		}
	}
}
