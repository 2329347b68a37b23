//go:build redis

package redis

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/redis"
)

// TestStreamsEndEverywhere revokes at one instance what streams at another one.
func TestStreamsEndEverywhere(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(upstream.Close)
	server := startRedis(t)
	s := harness.Start(t, `{
		auth {
			store redis `+server.address()+`
			bearer {`+harness.BearerLines+`}
		}
	}
	:8080 {
		require_auth {
			end_streams
		}
		reverse_proxy `+strings.TrimPrefix(upstream.URL, "http://")+`
	}`)
	token := harness.Token(t)
	r, err := http.NewRequest(http.MethodGet, s.URL("/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	var response *http.Response
	harness.Eventually(t, "the store is ready", func() bool {
		if response, err = http.DefaultClient.Do(r); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != http.StatusOK {
			response.Body.Close()
		}
		return response.StatusCode == http.StatusOK
	})
	defer response.Body.Close()
	other := member(t, 1, redis.Redis{Addresses: []string{server.address()}})
	entry, err := store.Revocation{Digest: store.DigestOfToken(token)}.Entry(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Publish(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(response.Body); err == nil {
		t.Error("the stream looks complete")
	}
}
