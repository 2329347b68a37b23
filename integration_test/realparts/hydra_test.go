//go:build realparts

package realparts

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
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
	pages := httptest.NewServer(http.HandlerFunc(h.approve))
	t.Cleanup(pages.Close)
	command.Env = append(os.Environ(), "DSN=memory", "URLS_SELF_ISSUER="+h.issuer, "SECRETS_SYSTEM="+harness.Secret,
		"URLS_LOGIN="+pages.URL+"/login", "URLS_CONSENT="+pages.URL+"/consent",
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

// approve is the application for logins and consents: alice agrees to everything.
func (h *hydra) approve(w http.ResponseWriter, r *http.Request) {
	kind := strings.TrimPrefix(r.URL.Path, "/")
	challenge := url.Values{kind + "_challenge": {r.FormValue(kind + "_challenge")}}.Encode()
	at := h.admin + "/oauth2/auth/requests/" + kind
	accepted := map[string]any{"subject": "alice"}
	if kind == "consent" {
		var request struct {
			Scope    []string `json:"requested_scope"`
			Audience []string `json:"requested_access_token_audience"`
		}
		h.send(http.MethodGet, at+"?"+challenge, "", "application/json", "", &request)
		accepted = map[string]any{"grant_scope": request.Scope, "grant_access_token_audience": request.Audience}
	}
	body, err := json.Marshal(accepted)
	if err != nil {
		h.t.Error(err)
	}
	var next struct {
		To string `json:"redirect_to"`
	}
	h.send(http.MethodPut, at+"/accept?"+challenge, "", "application/json", string(body), &next)
	http.Redirect(w, r, next.To, http.StatusFound)
}

// post is [hydra.send] with the method POST.
func (h *hydra) post(address, client, kind, body string, answer any) {
	h.t.Helper()
	h.send(http.MethodPost, address, client, kind, body, answer)
}

// send sends a request to the admin API, or a form with the credentials of a client.
func (h *hydra) send(method, address, client, kind, body string, answer any) {
	h.t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(body))
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

// facade starts a facade of the gate before Hydra, which registers no clients. Hydra takes
// `audience` instead of `resource`.
func (h *hydra) facade() *harness.Server {
	h.t.Helper()
	s := siteWithFacade(h.t, h.issuer, `client_secret `+harness.Secret+`
				authorization_endpoint `+h.issuer+`/oauth2/auth?audience=`+url.QueryEscape(api))
	h.post(h.admin+"/clients", "", "application/json", fmt.Sprintf(`{"client_id": "facade", "client_secret": %q, "grant_types": ["authorization_code", "refresh_token"],
		"response_types": ["code"], "token_endpoint_auth_method": "client_secret_post", "redirect_uris": [%q],
		"scope": "mcp:use mcp:delete offline_access", "audience": [%q], "access_token_strategy": "jwt"}`,
		harness.Secret, s.URL("/.well-known/auth/oauth/callback/tools"), api), new(any))
	return s
}

// TestHydra has tokens of Ory Hydra: signed ones whose scopes are a list in `scp`, with
// a new key, and opaque ones. Clients of MCP come through a facade.
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
	t.Run("FACADE-1 FACADE-7 MCP-4: clients get tokens of Hydra through a facade", func(t *testing.T) {
		answer, err := http.Post(h.issuer+"/oauth2/register", "application/json", strings.NewReader(`{"redirect_uris": ["http://localhost:1/callback"]}`))
		if err != nil || answer.StatusCode != http.StatusNotFound {
			t.Fatalf("it registers clients: %v %v", answer, err)
		}
		_ = answer.Body.Close()
		h.t = t
		s := h.facade()
		var got story
		script(t, &got, "mcp-client.mjs", "v1", s.URL("/tools"), s.URL("/tools"))
		got.check(t, 1)
		goClient(t, s)
	})
}
