//go:build realparts

package realparts

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestFastAPIVerifies runs the application of docs/recipes.md, which verifies the field of
// forward_signed by PyJWT.
func TestFastAPIVerifies(t *testing.T) {
	page, err := os.ReadFile("../../docs/recipes.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```python\n(.*?PyJWKClient.*?)```").FindSubmatch(page)
	if example == nil {
		t.Fatal("docs/recipes.md has no example with PyJWT")
	}
	port, folder := freePort(t), t.TempDir()
	upstream := "127.0.0.1:" + port
	s := harness.Start(t, `{
	auth {
		bearer corp {`+harness.BearerLines+`}
	}
}
http://localhost:8080 {
	require_auth {
		forward_signed X-Identity {
			audience https://orders.internal
			claims email
		}
	}
	reverse_proxy `+upstream+`
}
`)
	code := strings.Replace(string(example[1]), "https://api.example.com", s.URL(""), 1)
	if err := os.WriteFile(filepath.Join(folder, "orders.py"), []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("uvicorn", "--host", "127.0.0.1", "--port", port, "orders:app")
	command.Dir = folder
	start(t, command)
	harness.Eventually(t, "FastAPI is ready", func() bool {
		connection, err := net.Dial("tcp", upstream)
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	})
	token := harness.Bearer(harness.Token(t, harness.Claims{"sub": "alice"}))
	if got := s.Get("/orders", token); got.Status != http.StatusOK || got.Body != `"orders of alice"` {
		t.Errorf("ID-1: %d %s", got.Status, got.Body)
	}
	direct := func(name string, options ...harness.Option) {
		t.Run("past the gate: "+name, func(t *testing.T) {
			if got := s.Do(http.MethodGet, "http://"+upstream+"/orders", options...); got.Status == http.StatusOK {
				t.Errorf("ID-1: %d %s", got.Status, got.Body)
			}
		})
	}
	direct("without the field")
	direct("with the token of the client", harness.Header("X-Identity", harness.Token(t, harness.Claims{"sub": "alice"})))
	direct("unsigned", harness.Header("X-Identity", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9."))
}
