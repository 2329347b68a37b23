//go:build realparts

package realparts

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// built builds a program that is a module of its own.
func built(t *testing.T, folder string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), folder)
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = folder
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", folder, err, output)
	}
	return program
}

// TestZitadel has tokens of github.com/zitadel/oidc. Its opaque tokens are encrypted,
// in five parts, and only its introspection endpoint can read them.
func TestZitadel(t *testing.T) {
	port := freePort(t)
	issuer := "http://localhost:" + port
	runProgram(t, exec.Command(built(t, "zitadel"), port))
	token := func(client string) string {
		request, err := http.NewRequest(http.MethodPost, issuer+"/oauth/token", strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.SetBasicAuth(client, "verysecret")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var answer struct {
			Token string `json:"access_token"`
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Token == "" {
			t.Fatalf("no token: %v", err)
		}
		return answer.Token
	}
	opaque, signed := token("sid1"), token("jwt")
	site := func(lines string) *harness.Server {
		return harness.Start(t, "{\nauth {\nbearer corp {\nissuer "+issuer+"\naudience "+api+"\n"+lines+"\n}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond \"{http.auth.user.id} {http.auth.client.id}\"\n}")
	}
	t.Run("JWT-1 R7519-1: a signed token is verified by the keys of the discovery", func(t *testing.T) {
		s := site("")
		harness.Eventually(t, "the keys are fetched", func() bool { return s.Get("/", harness.Bearer(signed)).Status == 200 })
		if got := s.Get("/", harness.Bearer(signed)).Body; got != "id1 jwt" {
			t.Errorf("got %q", got)
		}
		s.Get("/", harness.Bearer(opaque)).Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
		if !strings.Contains(s.LogText(), "encrypted") {
			t.Error("the log does not say that the token is encrypted")
		}
	})
	t.Run("R7662-1: an encrypted token is introspected", func(t *testing.T) {
		s := site("introspection auto {\nclient_id api\nclient_secret secret\n}")
		harness.Eventually(t, "the endpoint is found", func() bool { return s.Get("/", harness.Bearer(opaque)).Status != 503 })
		if got := s.Get("/", harness.Bearer(opaque)); got.Status != 200 || !strings.HasPrefix(got.Body, "id1") {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}
