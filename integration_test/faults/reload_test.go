package faults

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const hash = "$2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy"

// configure has everything that opens something: files, a published key set,
// an introspection endpoint, a store. Each realm has a key set of its own, so that
// one that is never let go of is not taken for the next one.
func configure(t *testing.T) func(realm string) string {
	t.Helper()
	idp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/introspect" {
			fmt.Fprintf(w, `{"active":true,"sub":"olga","aud":%q}`, harness.Audience)
			return
		}
		fmt.Fprint(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	}))
	t.Cleanup(idp.Close)
	folder := t.TempDir()
	for name, content := range map[string]string{
		"users": "alice:" + hash + "\n",
		"keys":  `[{"id": "a", "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}]`,
		"key":   `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func(realm string) string {
		return `
{
	auth {
		realm ` + realm + `
		bearer corp {` + harness.BearerLines + `
		}
		bearer published {
			issuer https://published.example.com
			audience ` + harness.Audience + `
			jwks ` + idp.URL + `/jwks/` + realm + `
			key_file ` + folder + `/key
			introspection ` + idp.URL + `/introspect {
				client_id gateway
				client_secret hush
			}
		}
		basic ops {
			users_file ` + folder + `/users
		}
		api_key partners {
			keys_file ` + folder + `/keys
		}
	}
}
http://localhost:8080 {
	require_auth corp published ops partners {
		end_streams all
	}
	respond ok
}
`
	}
}

// TestLeaks reloads many times, also configurations that are refused at the
// end of loading, while requests go on.
func TestLeaks(t *testing.T) {
	config := configure(t)
	s := harness.Start(t, config("a"))
	token := harness.Token(t)
	send := func() {
		t.Helper()
		for _, credential := range []string{"Authorization: Bearer " + token, "Authorization: Bearer opaque", "X-API-Key: test"} {
			name, value, _ := strings.Cut(credential, ": ")
			harness.Eventually(t, credential, func() bool { // Caddy may have closed the connection
				r, err := http.NewRequest(http.MethodGet, s.URL("/"), nil)
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set(name, value)
				response, err := http.DefaultTransport.RoundTrip(r)
				if err != nil {
					return false
				}
				defer response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Fatal(response.Status)
				}
				return true
			})
		}
	}
	round := func(i int) {
		t.Helper()
		s.Reload(config(fmt.Sprint("realm", i)))
		if err := s.TryReload(config(fmt.Sprint("broken", i)) + "http://localhost:8081 {\n\trequire_auth missing\n}\n"); err == nil {
			t.Fatal("a broken configuration was loaded")
		}
		if err := s.TryReload(strings.Replace(config(fmt.Sprint("missing", i)), "basic ops", "basic gone {\n\tusers_file /nowhere/users\n}\nbasic ops", 1)); err == nil {
			t.Fatal("a configuration with a missing file was loaded")
		}
		if err := s.TryReload(config(fmt.Sprint("late", i)) + "http://localhost:8081 {\n\ttls /nowhere/cert.pem /nowhere/key.pem\n}\n"); err == nil {
			t.Fatal("a configuration that fails late was loaded")
		}
		send()
	}
	const warm = 4
	for i := range warm {
		round(i)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	goroutines, files, heap := runtime.NumGoroutine(), openFiles(t), liveHeap()
	for i := range 50 {
		round(warm + i)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	t.Run("GW-5: goroutines return to their level", func(t *testing.T) {
		harness.Eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines+5 })
	})
	t.Run("GW-5: files and connections are closed", func(t *testing.T) {
		harness.Eventually(t, "files are closed", func() bool { return openFiles(t) <= files+5 })
	})
	t.Run("GW-5: memory returns to its level", func(t *testing.T) {
		const slack = 8 << 20
		if after := liveHeap(); after > heap+slack {
			t.Errorf("%d bytes, and %d before", after, heap)
		}
	})
}

// openFiles counts the open files and connections of this process, where the
// system tells them.
func openFiles(t *testing.T) int {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // what finalizers let go of
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestUnderLoad reloads while clients ask: none of them may be denied. A
// connection that Caddy closes with the old configuration is opened again.
func TestUnderLoad(t *testing.T) {
	config := configure(t)
	s := harness.Start(t, config("a"))
	token := harness.Token(t)
	var sent, cut, failures atomic.Int64
	done := make(chan struct{})
	stopped := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { stopped <- struct{}{} }()
			client := &http.Client{Transport: new(http.Transport)}
			defer client.CloseIdleConnections()
			for {
				select {
				case <-done:
					return
				default:
				}
				r, err := http.NewRequest(http.MethodGet, s.URL("/"), nil)
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+token)
				response, err := client.Do(r)
				sent.Add(1)
				if err != nil {
					cut.Add(1)
					continue
				}
				if response.StatusCode != http.StatusOK {
					failures.Add(1)
					t.Error(response.Status)
				}
				response.Body.Close()
			}
		}()
	}
	for i := range 100 {
		harness.Eventually(t, "requests before the next reload", func() bool { return sent.Load() >= int64(100*i) })
		if i%4 == 3 {
			_ = s.TryReload(config("broken") + "http://localhost:8081 {\n\trequire_auth missing\n}\n")
			continue
		}
		s.Reload(config(fmt.Sprint("realm", i)))
	}
	close(done)
	for range 4 {
		<-stopped
	}
	t.Run("GW-5: no valid token is refused", func(t *testing.T) {
		if failures.Load() > 0 || sent.Load() < 9900 {
			t.Errorf("%d of %d requests were refused", failures.Load(), sent.Load())
		}
		t.Logf("%d requests during 100 reloads, %d refused, %d connections cut", sent.Load(), failures.Load(), cut.Load())
	})
}
