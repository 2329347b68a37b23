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
	for _, id := range []string{"former", "next", "made-up"} {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[id] = key
	}
	publish("former")
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, published.Load()) }))
	t.Cleanup(issuer.Close)
	s := harness.Start(t, "{\nauth {\nbearer {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+issuer.URL+
		"\n}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond in\n}\n")
	signedBy := func(id string) harness.Option {
		return harness.Bearer(harness.Sign(t, jwa.EdDSA, keys[id], map[string]any{"kid": id}))
	}
	if r := s.Get("/", signedBy("former")); r.Status != http.StatusOK {
		t.Fatalf("a known key: %d", r.Status)
	}
	publish("former", "next")
	for id, name := range map[string]string{"next": "a key just published", "made-up": "a key that was never published"} {
		t.Run("KEY-9: "+name+" is 503 with Retry-After and without a challenge", func(t *testing.T) {
			r := s.Get("/", signedBy(id))
			wait, err := strconv.Atoi(r.Header.Get("Retry-After"))
			if r.Status != http.StatusServiceUnavailable || err != nil || wait < 1 || wait > 10 || len(r.Challenges()) > 0 {
				t.Errorf("%d %v", r.Status, r.Header)
			}
		})
	}
}
