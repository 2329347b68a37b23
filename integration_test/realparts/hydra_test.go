//go:build realparts

package realparts

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// hydra is Ory Hydra with its data in memory.
type hydra struct {
	t             *testing.T
	issuer, admin string
}

func newHydra(t *testing.T) *hydra {
	t.Helper()
	program := filepath.Join(t.TempDir(), "hydra")
	build := exec.Command("go", "build", "-tags", "sqlite", "-o", program, "github.com/ory/hydra/v2")
	build.Dir = "hydra"
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building Ory Hydra: %v\n%s", err, output)
	}
	public, admin := freePort(t), freePort(t)
	h := &hydra{t: t, issuer: "http://localhost:" + public, admin: "http://localhost:" + admin + "/admin"}
	command := exec.Command(program, "serve", "all", "--dev", "--sqa-opt-out")
	command.Env = append(os.Environ(), "DSN=memory", "URLS_SELF_ISSUER="+h.issuer, "SECRETS_SYSTEM="+harness.Secret,
		"SERVE_PUBLIC_HOST=127.0.0.1", "SERVE_PUBLIC_PORT="+public, "SERVE_ADMIN_HOST=127.0.0.1", "SERVE_ADMIN_PORT="+admin)
	start(t, command)
	harness.Eventually(t, "Ory Hydra is ready", func() bool {
		response, err := http.Get("http://localhost:" + admin + "/health/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return h
}

// post sends a request to the admin API, or a form with the credentials of a client.
func (h *hydra) post(address, client, kind, body string, answer any) {
	h.t.Helper()
	request, err := http.NewRequest(http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	if client != "" {
		request.SetBasicAuth(client, harness.Secret)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		h.t.Fatalf("%s: %d %v %s", address, response.StatusCode, err, content)
	}
	if err := json.Unmarshal(content, answer); err != nil {
		h.t.Fatal(err)
	}
}

// client registers a client whose tokens are of a kind, `opaque` or `jwt`.
func (h *hydra) client(kind string) {
	h.post(h.admin+"/clients", "", "application/json", fmt.Sprintf(`{"client_id": %q, "client_secret": %q, "grant_types": ["client_credentials"],
		"scope": "orders:read", "audience": [%q], "access_token_strategy": %q}`, kind, harness.Secret, api, kind), new(any))
}

func (h *hydra) token(client string) string {
	h.t.Helper()
	var answer struct {
		Token string `json:"access_token"`
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "audience": {api}}
	h.post(h.issuer+"/oauth2/token", client, "application/x-www-form-urlencoded", form.Encode(), &answer)
	return answer.Token
}

// TestHydra has tokens of Ory Hydra: signed ones whose scopes are a list in `scp`, with
// a new key, and opaque ones.
func TestHydra(t *testing.T) {
	h := newHydra(t)
	h.client("jwt")
	h.client("opaque")
	t.Run("JWT-1 JWT-5: a signed token is accepted, and one of the next key", func(t *testing.T) {
		signed := h.token("jwt")
		s := guarded(t, "issuer "+h.issuer)
		harness.Eventually(t, "the keys are fetched", func() bool { return s.Get("/", harness.Bearer(signed)).Status == 200 })
		if got := s.Get("/", harness.Bearer(signed)).Body; got != "hello jwt" {
			t.Errorf("got %q", got)
		}
		h.post(h.admin+"/keys/hydra.jwt.access-token", "", "application/json", `{"alg": "RS256", "use": "sig", "kid": "next"}`, new(any))
		rotated := h.token("jwt")
		harness.Eventually(t, "the next key is fetched", func() bool { return s.Get("/", harness.Bearer(rotated)).Status == 200 })
	})
	t.Run("R7662-1: an opaque token is introspected, until it is revoked", func(t *testing.T) {
		opaque := h.token("opaque")
		s := guarded(t, "issuer "+h.issuer+"\nintrospection "+h.admin+"/oauth2/introspect {\nclient_id gateway\nclient_secret "+harness.Secret+"\ncache 0s\n}")
		if got := s.Get("/", harness.Bearer(opaque)); got.Status != 200 || got.Body != "hello opaque" {
			t.Errorf("%d %q", got.Status, got.Body)
		}
		revoke, err := http.NewRequest(http.MethodPost, h.issuer+"/oauth2/revoke", strings.NewReader(url.Values{"token": {opaque}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		revoke.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		revoke.SetBasicAuth("opaque", harness.Secret)
		response, err := http.DefaultClient.Do(revoke)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", response, err)
		}
		_ = response.Body.Close()
		s.Get("/", harness.Bearer(opaque)).Want(401, "invalid_token", invalid)
	})
}
