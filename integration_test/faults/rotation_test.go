package faults

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestRotation publishes a key just after the gate has fetched the key set.
func TestRotation(t *testing.T) {
	p := harness.StartProvider(t)
	p.Publish("former")
	const invalid = `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`
	s := harness.StartWithAdmin(t, "{\nauth {\nbearer corp {\nissuer "+harness.Issuer+"\naudience "+harness.Audience+"\njwks "+p.KeySet()+
		"\n}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond in\n}\n")
	refresh := func() { s.Do(http.MethodPost, s.AdminURL("/auth/schemes/corp/refresh")).Want(http.StatusOK, "") }
	tokens := make(map[string]string) // each comes again: the answer changes with the fetch after its first request
	for _, id := range []string{"former", "next", "made-up", "made-up-too"} {
		tokens[id] = p.Sign(id)
	}
	signedBy := func(id string) harness.Option { return harness.Bearer(tokens[id]) }
	if r := s.Get("/", signedBy("former")); r.Status != http.StatusOK {
		t.Fatalf("a known key: %d", r.Status)
	}
	p.Publish("former", "next")
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
		p.Publish("next")
		refresh()
		unavailable(t, "former")
		refresh()
		for range 2 {
			s.Get("/", signedBy("former")).Want(http.StatusUnauthorized, "invalid_token", invalid)
		}
	})
	t.Run("KEY-9: beside a key without an ID an unknown kid is 503 until a newer fetch, then 401", func(t *testing.T) {
		unnamed := strings.ReplaceAll(string(p.Document()), `"kid":"next",`, "")
		p.Answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, unnamed) })
		refresh()
		s.Get("/", signedBy("next")).Want(http.StatusOK, "")
		unavailable(t, "made-up-too")
		p.Answer(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, unnamed, " ") }) // another document: what was said a moment ago is forgotten
		refresh()
		s.Get("/", signedBy("made-up-too")).Want(http.StatusUnauthorized, "invalid_token", invalid)
	})
}
