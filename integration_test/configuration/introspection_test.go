package configuration

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestIntrospectionReload changes how long answers are kept: the configuration
// that runs decides, not the one before it.
func TestIntrospectionReload(t *testing.T) {
	var requests atomic.Int32
	var revoked atomic.Bool
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"active": !revoked.Load(), "sub": "alice", "aud": harness.Audience})
	}))
	t.Cleanup(endpoint.Close)
	config := func(lines string) string {
		return "{\nauth {\nbearer {\naudience " + harness.Audience + "\nintrospection " + endpoint.URL + " {\nclient_id gateway\nclient_secret s3cret\n" + lines + "\n}\n}\n}\n}\n" +
			"http://localhost:8080 {\nrequire_auth\nrespond ok\n}\n"
	}
	s := harness.Start(t, config(""))
	status := func() int { return s.Get("/", harness.Bearer("opaque")).Status }
	t.Run("R7662-5: an answer is kept", func(t *testing.T) {
		for range 2 {
			if got := status(); got != 200 || requests.Load() != 1 {
				t.Errorf("status %d, asked %d times", got, requests.Load())
			}
		}
	})
	t.Run("GW-5: also by the next configuration", func(t *testing.T) {
		s.Reload(config("") + "# changed\n")
		if status() != 200 || requests.Load() != 1 {
			t.Errorf("asked %d times", requests.Load())
		}
	})
	t.Run("R7662-5: cache 0 keeps none, whatever was kept before", func(t *testing.T) {
		s.Reload(config("cache 0s"))
		for want := int32(2); want < 4; want++ {
			if status() != 200 || requests.Load() != want {
				t.Fatalf("asked %d times, want %d", requests.Load(), want)
			}
		}
		revoked.Store(true)
		if got := status(); got != 401 {
			t.Errorf("a token that was revoked gets %d", got)
		}
	})
}
