//go:build redis

package redis

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// instance is a Caddy process.
type instance struct {
	t           *testing.T
	port, admin string
	process     *exec.Cmd
	log         *harness.Journal
	client      *http.Client
}

const caddyfile = `
{
	admin localhost:%s
	auto_https off
	persist_config off
	auth {
		store redis %s
		bearer corp {` + harness.BearerLines + `
			dpop optional
		}
		basic ops {
			user alice %s
		}
		security_events ` + harness.Issuer + ` {
			audience ` + harness.Audience + `/events
			jwks %s
		}
	}
}
http://:%s {
	bind 127.0.0.1
	auth_events /auth/events
	require_auth corp ops {
		forward_signed X-Identity {
			audience https://orders.internal
		}
	}
	respond /identity {header.X-Identity}
	respond ok
}
`

// patient are the lines of a store that is no slower than a slow machine.
const patient = " {\n timeout 2s\n}"

// startCaddy runs an instance with a `store redis` until the test ends.
func startCaddy(t *testing.T, store string) *instance {
	t.Helper()
	i := &instance{t: t, port: freePort(t), admin: freePort(t), log: new(harness.Journal)}
	i.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	home := t.TempDir()
	config := filepath.Join(home, "Caddyfile")
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(home, "transmitter.json")
	if err := os.WriteFile(keys, transmitterKeys(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, caddyfile, i.admin, store, hash, keys, i.port), 0o600); err != nil {
		t.Fatal(err)
	}
	i.process = exec.Command(caddyProgram, "run", "--config", config, "--adapter", "caddyfile")
	i.process.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	i.process.Stdout, i.process.Stderr = i.log, i.log
	if err := i.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.stop)
	harness.Eventually(t, "Caddy answers", func() bool {
		status, _ := i.try("/")
		return status != 0
	})
	return i
}

// startGroup runs three instances and waits until each lets good tokens in.
func startGroup(t *testing.T, store string) []*instance {
	t.Helper()
	group := make([]*instance, 3)
	token := harness.Token(t)
	for n := range group {
		group[n] = startCaddy(t, store)
		group[n].becomes(200, harness.Bearer(token))
	}
	return group
}

func (i *instance) stop() {
	if i.process == nil {
		return
	}
	i.client.CloseIdleConnections() // Caddy waits for those that were never used
	if err := i.process.Process.Signal(syscall.SIGTERM); err != nil {
		i.t.Error(err)
	}
	if err := i.process.Wait(); err != nil {
		i.t.Errorf("Caddy ended with %v", err)
	}
	i.process = nil
	if i.t.Failed() {
		i.t.Logf("Caddy on port %s:\n%s", i.port, i.log)
	}
}

// try sends a request for a path from outside. It returns the status, or 0 without one,
// and the code of a denial.
func (i *instance) try(path string, options ...harness.Option) (status int, code string) {
	status, body := i.get(path, options...)
	var problem harness.Problem
	_ = json.Unmarshal([]byte(body), &problem) // what is let in gets another body
	if status == 0 {
		return 0, body
	}
	return status, problem.Code
}

// get asks as try does, and returns the status and the body, or 0 and an error.
func (i *instance) get(path string, options ...harness.Option) (status int, body string) {
	r, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+i.port+path, nil)
	if err != nil {
		panic(err)
	}
	r.Host = publicHost
	for _, option := range options {
		option(r)
	}
	response, err := i.client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(read)
}

// publicHost is by what name clients know the group.
const publicHost = "api.example.com"

// becomes waits for a status.
func (i *instance) becomes(want int, options ...harness.Option) {
	i.t.Helper()
	harness.Eventually(i.t, fmt.Sprintf("the instance on port %s answers %d", i.port, want), func() bool {
		status, _ := i.try("/", options...)
		return status == want
	})
}
