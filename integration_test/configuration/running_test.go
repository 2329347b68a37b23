package configuration

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestRunning gives configurations to a Caddy of its own process through its
// admin API, as deployments do.
func TestRunning(t *testing.T) {
	admin, site := harness.FreeAddress(t), harness.FreeAddress(t)
	runBinary(t, admin)
	example := strings.NewReplacer("localhost:8080", site, "admin localhost:2019", "admin "+admin).Replace(harness.ReadFile(t, "../../Caddyfile.example"))
	config := adapt(t, example)

	if status, body := load(t, admin, config, "application/json"); status != http.StatusOK {
		t.Fatalf("loading the example: %d %s", status, body)
	}
	guarded := func(t *testing.T) {
		t.Helper()
		harness.Eventually(t, "the site answers", func() bool { return send(t, "http://"+site+"/me") == http.StatusUnauthorized })
	}
	guarded(t)
	for name, change := range map[string][2]string{
		"a bad secret":        {"demonstration-only-secret-of-32-bytes-or-more", "short"},
		"an unknown scheme":   {`"corp"` + "\n", `"crop"` + "\n"},
		"an unknown member":   {`"hide": "denied"`, `"hidden": "denied"`},
		"no audience":         {`"https://api.example.com"`, ``},
		"any origin":          {`"https://web.example"`, `"*"`},
		"no JSON":             {`{`, `{{`},
		"an unknown handler":  {`"handler": "require_auth"`, `"handler": "require-auth"`},
		"an unknown app":      {`"auth": {`, `"auht": {`},
		"a hash in the clear": {`$2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy`, `s3cret`},
	} {
		t.Run(name, func(t *testing.T) {
			bad := strings.Replace(config, change[0], change[1], 1)
			if bad == config {
				t.Fatalf("%q is not in\n%s", change[0], config)
			}
			status, body := load(t, admin, bad, "application/json")
			if status != http.StatusBadRequest {
				t.Errorf("%d %s", status, body)
			}
			if strings.Contains(body, secret) {
				t.Errorf("the answer repeats a secret: %s", body)
			}
			guarded(t)
		})
	}
	t.Run("a Caddyfile", func(t *testing.T) {
		if status, body := load(t, admin, example, "text/caddyfile"); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
		guarded(t)
	})
	t.Run("a bad Caddyfile", func(t *testing.T) {
		status, body := load(t, admin, strings.Replace(example, "require_auth /me corp", "require_auth /me crop", 1), "text/caddyfile")
		if status != http.StatusBadRequest || !strings.Contains(body, `unknown scheme \"crop\"`) {
			t.Errorf("%d %s", status, body)
		}
		guarded(t)
	})
}

// runBinary runs Caddy in a process of its own with nothing but
// an admin API, until the test ends.
func runBinary(t *testing.T, admin string) {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "empty.json")
	write(t, config, fmt.Sprintf(`{"admin": {"listen": %q}}`, admin))
	command := exec.Command("caddy", "run", "--config", config)
	command.Env = append(os.Environ(), "HOME="+folder, "XDG_CONFIG_HOME="+folder, "XDG_DATA_HOME="+folder)
	var log bytes.Buffer
	command.Stderr = &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = command.Process.Kill()
			<-ended
		}
		if t.Failed() {
			t.Logf("the log\n%s", log.String())
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log repeats a secret\n%s", log.String())
		}
	})
	harness.Eventually(t, "the admin API answers", func() bool { return send(t, "http://"+admin+"/config/") == http.StatusOK })
}

// load posts a configuration to the admin API.
func load(t *testing.T, admin, config, contentType string) (int, string) {
	t.Helper()
	response, err := client.Post("http://"+admin+"/load", contentType, strings.NewReader(config))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	harness.Settled(t, admin)
	return response.StatusCode, string(body)
}

// send returns the status of an answer, 0 without one.
func send(t *testing.T, url string) int {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
