package faults

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func init() { caddy.RegisterModule(fullDisk{}) }

// fullDisk is where a log goes that finds no room.
type fullDisk struct{}

func (fullDisk) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.full_disk", New: func() caddy.Module { return new(fullDisk) }}
}

func (fullDisk) String() string                        { return "full_disk" }
func (fullDisk) WriterKey() string                     { return "full_disk" }
func (fullDisk) OpenWriter() (io.WriteCloser, error)   { return fullDisk{}, nil }
func (fullDisk) Close() error                          { return nil }
func (fullDisk) Write([]byte) (written int, err error) { failures.Add(1); return 0, syscall.ENOSPC }

// failures counts the records for which there was no room.
var failures atomic.Int64

// TestFullDisk has no room for the log. It is all that is ever written.
func TestFullDisk(t *testing.T) {
	s := harness.StartJSON(t, `{"logging":{"logs":{"records":{"level":"DEBUG","writer":{"output":"full_disk"},"include":["http.handlers.require_auth"]}}},
		"apps":{"auth":{"schemes":{"corp":{"scheme":"bearer","issuer":"`+harness.Issuer+`","audiences":["`+harness.Audience+`"],"hmac_secret":"`+harness.Secret+`"}}},
		"http":{"servers":{"s":{"listen":[":8080"],"routes":[{"handle":[{"handler":"require_auth","schemes":["corp"]},{"handler":"static_response","body":"ok"}]}]}}}}}`)
	t.Run("AVAIL-1: who has a good credential comes in", func(t *testing.T) {
		s.Get("/", harness.Bearer(harness.Token(t))).Want(200, "")
	})
	t.Run("O-2: no other caller does", func(t *testing.T) {
		s.Get("/").Want(401, "missing_credentials", `Bearer realm="api"`)
		s.Get("/", harness.Bearer("forged")).Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
	})
	if failures.Load() < 3 {
		t.Errorf("only %d records found no room", failures.Load())
	}
}

// TestLogOfTheRunningConfiguration has failures of what outlives a configuration
// told where the running one logs: the file of the one that began it is closed.
func TestLogOfTheRunningConfiguration(t *testing.T) {
	var code atomic.Int64
	code.Store(http.StatusInternalServerError)
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(code.Load())) }))
	t.Cleanup(provider.Close)
	folder := t.TempDir()
	config := func(log string) string {
		return `
{
	log keys {
		output file ` + filepath.Join(folder, log) + `
		include auth.schemes.bearer
	}
	auth {
		bearer corp {
			issuer ` + harness.Issuer + `
			audience ` + harness.Audience + `
			jwks ` + provider.URL + `/jwks
			introspection ` + provider.URL + `/introspect {
				client_id gateway
				client_secret hush
			}
		}
	}
}
http://localhost:8080 {
	require_auth
	respond ok
}
`
	}
	s := harness.Start(t, config("before"))
	logged := func(log, message string) func() bool {
		return func() bool {
			reason := fmt.Sprintf("status %d", code.Load())
			s.Get("/", harness.Bearer("opaque"))
			text, _ := os.ReadFile(filepath.Join(folder, log)) // it may not be there yet
			return slices.ContainsFunc(strings.Split(string(text), "\n"), func(line string) bool {
				return strings.Contains(line, message) && strings.Contains(line, reason)
			})
		}
	}
	messages := []string{"cannot fetch key set", "introspection failed"}
	for _, message := range messages {
		harness.Eventually(t, message, logged("before", message))
	}
	s.Reload(config("after"))
	code.Store(http.StatusBadGateway)
	for _, message := range messages {
		t.Run("GW-5: "+message, func(t *testing.T) {
			harness.Eventually(t, "the log of the running configuration has it", logged("after", message))
		})
	}
}
