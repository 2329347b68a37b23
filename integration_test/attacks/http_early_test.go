package attacks

import (
	"crypto/tls"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// get makes the fields of a request of HTTP/3; the first four are those that
// each request has.
func get(path string, fields ...string) []string {
	return append([]string{":method", "GET", ":scheme", "https", ":authority", "localhost", ":path", path}, fields...)
}

// TestEarlyData sends credentials in the first packets of a resumed connection. An
// attacker who recorded them can replay them from any address, because the sender needs
// no answer yet (RFC 8470 §2).
func TestEarlyData(t *testing.T) {
	f := newFortress(t, `
	route /hidden {
		require_auth corp {
			hide all
		}
		reverse_proxy UPSTREAM
	}
	require_auth /anonymous corp {
		optional
	}
	require_auth /api corp ops partners {
		forward X-User {http.auth.user.id}
	}`)
	credential := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:"+password))
	failedLogin := "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:guess"))
	for name, row := range map[string]struct {
		fields       []string
		early, later int
		passesEarly  bool
	}{
		"a token":                        {fields: get("/api", "authorization", "Bearer "+f.token), early: 425, later: 200},
		"a token at an optional gate":    {fields: get("/anonymous", "authorization", "Bearer "+f.token), early: 425, later: 200},
		"a bad token":                    {fields: get("/api", "authorization", "Bearer x.y.z"), early: 425, later: 401},
		"a password":                     {fields: get("/api", "authorization", credential), early: 425, later: 200},
		"a guess":                        {fields: get("/api", "authorization", failedLogin), early: 425, later: 401},
		"a key":                          {fields: get("/api", "x-api-key", apiKey), early: 425, later: 200},
		"a token where all is hidden":    {fields: get("/hidden", "authorization", "Bearer "+f.token), early: 404, later: 200},
		"two credentials":                {fields: get("/api", "x-api-key", apiKey, "authorization", credential), early: 400, later: 400},
		"nothing":                        {fields: get("/api"), early: 401, later: 401},
		"nothing, and that is enough":    {fields: get("/anonymous"), early: 200, later: 200, passesEarly: true},
		"nothing where there is no gate": {fields: get("/free"), early: 200, later: 200, passesEarly: true},
	} {
		t.Run(name, func(t *testing.T) {
			ticket := f.Ticket()
			f.take()
			r := f.sendEarly(t, ticket, row.fields, row.passesEarly)
			requests := f.take()
			if r.Status != row.early || len(requests) > 0 != (row.early == http.StatusOK) {
				t.Errorf("early: %d %s, %d at the upstream", r.Status, r.Body, len(requests))
			}
			if r.Status == http.StatusTooEarly {
				r.Want(http.StatusTooEarly, "too_early")
				if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("X-Trace-Id") == "" || strings.Contains(f.LogText(), f.token) {
					t.Errorf("%v", r.Header)
				}
			}
			if r := f.SendHTTP3(new(tls.Config), row.fields, ""); r.Status != row.later {
				t.Errorf("after the handshake: %d %s", r.Status, r.Body)
			}
		})
	}
	t.Run("guesses lock no client out", func(t *testing.T) {
		ticket := f.Ticket()
		for range 12 {
			if r := f.sendEarly(t, ticket, get("/api", "authorization", failedLogin), false); r.Status == http.StatusTooManyRequests {
				t.Fatal("a guess was counted")
			}
		}
		if r := f.SendHTTP3(new(tls.Config), get("/api", "authorization", credential), ""); r.Status != http.StatusOK {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// sendEarly sends a request and lets the handshake end when it was decided, which
// the upstream or the log shows.
func (f *fortress) sendEarly(t *testing.T, ticket *tls.Config, fields []string, passes bool) *harness.Response {
	t.Helper()
	before := len(f.Decisions())
	return f.SendEarly(ticket, fields, func() {
		harness.Eventually(t, "the request is decided before the handshake ends", func() bool {
			return passes && f.reached() || len(f.Decisions()) > before
		})
	})
}
