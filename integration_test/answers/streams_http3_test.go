package answers

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestEndsOverHTTP3 has an event stream, and a WebSocket by extended CONNECT (RFC 9220).
func TestEndsOverHTTP3(t *testing.T) {
	certificate, key := harness.SaveCertificate(t, harness.Certificate(t, "site", nil, time.Hour))
	s := harness.StartWithAdmin(t, `{
		auto_https off
		metrics
		auth {
			`+corp+`
		}
	}
	http://localhost:8080 {
		metrics /metrics
	}
	https://localhost:8081 {
		tls `+certificate+` `+key+`
		require_auth {
			end_streams
		}
		reverse_proxy `+upstream(t)+`
	}`)
	for name, pseudo := range map[string][]string{
		"/events": {":method", "GET"},
		"/socket": {":method", "CONNECT", ":protocol", "websocket"},
	} {
		t.Run(name, func(t *testing.T) {
			token := harness.Token(t, harness.Claims{"jti": name})
			revoked := make(chan struct{})
			go func() {
				defer close(revoked)
				for began := time.Now(); gauge(s) != "1" && time.Since(began) < time.Minute; time.Sleep(10 * time.Millisecond) {
				}
				revoke(t, s, fmt.Sprintf(`{"jti": %q}`, name))
			}()
			got := s.SendHTTP3(new(tls.Config), append(pseudo, ":scheme", "https", ":authority", "localhost", ":path", name, "authorization", "Bearer "+token), "")
			<-revoked
			if got.Status != http.StatusOK || got.Body == "" {
				t.Errorf("%d %q", got.Status, got.Body)
			}
			harness.Eventually(t, "it is closed", func() bool { return gauge(s) == "0" })
		})
	}
}
