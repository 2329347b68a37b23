package faults

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestRotation publishes a key just after the gate has fetched the key set.
func TestRotation(t *testing.T) {
	var published atomic.Value
	keys := make(map[string]ed25519.PrivateKey)
	publish := func(ids ...string) {
		var members []string
		for _, id := range ids {
			members = append(members, fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":%q,"x":%q}`, id,
				base64.RawURLEncoding.EncodeToString(keys[id].Public().(ed25519.PublicKey))))
		}
		published.Store(`{"keys":[` + strings.Join(members, ",") + `]}`)
	}
	for _, id := range []string{"former", "next", "made-up", "made-up-too"} {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[id] = key
	}
	const invalid = `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`
	publish("former")
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, published.Load()) }))
	t.Cleanup(issuer.Close)
	s := harness.StartWithAdmin(t, "{\nauth {\nbearer corp {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+issuer.URL+
		"\n}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond in\n}\n")
	refresh := func() { s.Do(http.MethodPost, s.AdminURL("/auth/schemes/corp/refresh")).Want(http.StatusOK, "") }
	signedBy := func(id string) harness.Option {
		return harness.Bearer(harness.Sign(t, jwa.EdDSA, keys[id], map[string]any{"kid": id}))
	}
	if r := s.Get("/", signedBy("former")); r.Status != http.StatusOK {
		t.Fatalf("a known key: %d", r.Status)
	}
	publish("former", "next")
	unavailable := func(t *testing.T, id string) {
		t.Helper()
		r := s.Get("/", signedBy(id))
		wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
		if r.Status != http.StatusServiceUnavailable || err != nil || wait < 1 || wait > 10 || len(r.Challenges()) > 0 {
			t.Errorf("%d %v", r.Status, r.Header)
		}
	}
	for id, name := range map[string]string{"next": "a key just published", "made-up": "a key that was never published"} {
		t.Run("KEY-9: "+name+" is 503 with Retry-After and without a challenge", func(t *testing.T) { unavailable(t, id) })
	}
	t.Run("KEY-9: a withdrawn key is 503 until a newer fetch, then 401", func(t *testing.T) {
		publish("next")
		refresh()
		unavailable(t, "former")
		refresh()
		for range 2 {
			s.Get("/", signedBy("former")).Want(http.StatusUnauthorized, "invalid_token", invalid)
		}
	})
	t.Run("KEY-9: beside a key without an ID an unknown kid is 503 until a newer fetch, then 401", func(t *testing.T) {
		published.Store(strings.ReplaceAll(published.Load().(string), `"kid":"next",`, ""))
		refresh()
		s.Get("/", signedBy("next")).Want(http.StatusOK, "")
		unavailable(t, "made-up-too")
		published.Store(published.Load().(string) + " ") // another document: what was said a moment ago is forgotten
		refresh()
		s.Get("/", signedBy("made-up-too")).Want(http.StatusUnauthorized, "invalid_token", invalid)
	})
}
