// Package securityevents tests the receiver of security events in a running Caddy: its
// answers to a transmitter, and the revocation of a subject's tokens.
package securityevents

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

func init() { keyset.SetFirstWait(time.Second) }

const (
	caep = "https://schemas.openid.net/secevent/caep/event-type/"
	risc = "https://schemas.openid.net/secevent/risc/event-type/"
	ssf  = "https://schemas.openid.net/secevent/ssf/event-type/"

	receiver = "https://api.example.com/events"
	mime     = "application/secevent+jwt"
)

// transmitter is a provider that issues tokens and sends security events.
type transmitter struct {
	*harness.Provider
	t testing.TB
}

// startTransmitter has a provider with the metadata of a transmitter beside its own.
func startTransmitter(t testing.TB) transmitter {
	t.Helper()
	x := transmitter{harness.StartProvider(t), t}
	x.Answer(x.serve)
	return x
}

func (x transmitter) serve(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/jwks":
		_, _ = w.Write(x.Document())
	case strings.HasPrefix(r.URL.Path, "/.well-known/"):
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": x.Issuer(), "jwks_uri": x.KeySet()})
	default:
		http.NotFound(w, r)
	}
}

// config is a site with a receiver at /auth/events and a gate everywhere else.
func (x transmitter) config(lines ...string) string {
	return `{
	auth {
		bearer {
			issuer ` + x.Issuer() + `
			audience ` + harness.Audience + `
		}
		security_events ` + x.Issuer() + ` {
			audience ` + receiver + `
			` + strings.Join(lines, "\n\t\t\t") + `
		}
	}
}
http://localhost:8080 {
	auth_events /auth/events
	require_auth
	respond ok
}
`
}

// claims are those of a security event token about a subject.
func (x transmitter) claims(event string, subject any, more ...harness.Claims) harness.Claims {
	all := harness.Claims{
		"iss": x.Issuer(), "aud": receiver, "jti": x.t.Name(), "iat": time.Now().Unix(), "sub": nil, "exp": nil,
		"sub_id": subject, "events": map[string]any{event: map[string]any{"event_timestamp": time.Now().Unix()}},
	}
	for _, other := range more {
		maps.Copy(all, other)
	}
	return all
}

// set signs a security event token.
func (x transmitter) set(claims harness.Claims) string {
	x.t.Helper()
	return x.sign(claims, map[string]any{"typ": "secevent+jwt", "kid": harness.DefaultKeyID})
}

func (x transmitter) sign(claims harness.Claims, header map[string]any) string {
	x.t.Helper()
	return harness.Sign(x.t, jwa.ES256, x.Key(harness.DefaultKeyID), header, claims)
}

// user is a subject of the format iss_sub.
func (x transmitter) user(name string) map[string]any {
	return map[string]any{"format": "iss_sub", "iss": x.Issuer(), "sub": name}
}

func push(s *harness.Server, set string, options ...harness.Option) *harness.Response {
	return s.Do(http.MethodPost, s.URL("/auth/events"), append(options, harness.Body(mime, set))...)
}

// wantAccepted fails the test unless an event was acknowledged.
func wantAccepted(t *testing.T, got *harness.Response) {
	t.Helper()
	if got.Status != http.StatusAccepted || got.Body != "" {
		t.Errorf("status %d\n%s", got.Status, got.Body)
	}
}

// wantRefused fails the test unless an event was refused with a code.
func wantRefused(t *testing.T, got *harness.Response, code string) {
	t.Helper()
	var answer struct{ Err, Description string }
	if err := json.Unmarshal([]byte(got.Body), &answer); err != nil || got.Status != http.StatusBadRequest ||
		answer.Err != code || answer.Description == "" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("status %d, want %s\n%s", got.Status, code, got.Body)
	}
}

// old is the claim of a token from before an event.
func old() harness.Claims { return harness.Claims{"iat": time.Now().Add(-time.Hour).Unix()} }

// wantRevoked fails the test unless a token is revoked, or good.
func wantRevoked(t *testing.T, s *harness.Server, token string, revoked bool) {
	t.Helper()
	got := s.Get("/", harness.Bearer(token))
	if revoked && (got.Status != http.StatusUnauthorized || got.Problem().Code != "revoked_token") || !revoked && got.Status != http.StatusOK {
		t.Errorf("status %d, want revoked: %t\n%s", got.Status, revoked, got.Body)
	}
}

// Token makes an access token of the transmitter, which is an issuer too.
func (x transmitter) Token(claims ...harness.Claims) string {
	x.t.Helper()
	return x.Provider.Token(append([]harness.Claims{{"iss": x.Issuer()}}, claims...)...)
}
