//go:build realparts

package realparts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// registry keeps images in memory, by the API of OCI Distribution. It knows no
// authorization.
type registry struct {
	mutex     sync.Mutex
	blobs     map[string][]byte
	manifests map[string][]byte
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	kind, name := "", ""
	if parts := strings.Split(r.URL.Path, "/"); len(parts) > 4 {
		kind, name = parts[3], parts[len(parts)-1]
	}
	stored, mediaType := g.blobs, "application/octet-stream"
	if kind == "manifests" {
		stored, mediaType = g.manifests, "application/vnd.oci.image.manifest.v1+json"
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case r.URL.Path == "/v2/":
	case r.Method == http.MethodPost, r.Method == http.MethodPatch: // a part of a blob
		stored["upload"] = append(stored["upload"], body...)
		if r.Method == http.MethodPost {
			stored["upload"] = body
		}
		w.Header().Set("Location", "/v2/demo/blobs/uploads/upload")
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut && kind == "blobs":
		content := append(stored["upload"], body...)
		stored[digestOf(content)] = content
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		stored[name], stored[digestOf(body)] = body, body
		w.WriteHeader(http.StatusCreated)
	default:
		content, found := stored[name]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Docker-Content-Digest", digestOf(content))
		_, _ = w.Write(content)
	}
}

// image writes an image in the layout of skopeo's transport `dir`.
func image(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	layer := make([]byte, 1024) // an empty archive of tar
	config := fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[%q]}}`, digestOf(layer))
	for _, blob := range [][]byte{layer, config} {
		write(strings.TrimPrefix(digestOf(blob), "sha256:"), blob)
	}
	write("version", []byte("Directory Transport Version: 1.1\n"))
	write("manifest.json", fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",
		"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},
		"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`, digestOf(config), len(config), digestOf(layer), len(layer)))
	return folder
}

// TestSkopeo runs skopeo at a container registry. One part uses a password alone,
// another a token server that the realm of the challenge names. A gate guards the token
// server too.
func TestSkopeo(t *testing.T) {
	upstream := httptest.NewServer(&registry{blobs: make(map[string][]byte), manifests: make(map[string][]byte)})
	t.Cleanup(upstream.Close)
	requests := make(chan string, 100)
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Header.Get("X-User") + " " + r.URL.Query().Get("service") + " " + r.URL.Query().Get("scope")
		_ = json.NewEncoder(w).Encode(map[string]any{"token": harness.Token(t, harness.Claims{"aud": r.URL.Query().Get("service")}), "expires_in": 300})
	}))
	t.Cleanup(tokens.Close)
	s := harness.Start(t, `{
	auth {
		attempts off
		basic ops {
			user alice `+bcrypted(t, "secret")+`
		}
		bearer corp {
			issuer `+harness.Issuer+`
			hmac_secret `+harness.Secret+`
			audience registry.example.com
			realm http://localhost:8081/token
			service registry.example.com
		}
	}
}
http://localhost:8080 {
	require_auth corp {
		strip_credentials
	}
	reverse_proxy `+strings.TrimPrefix(upstream.URL, "http://")+`
}
http://localhost:8081 {
	require_auth ops {
		forward X-User {http.auth.user.id}
		strip_credentials
	}
	reverse_proxy /token `+strings.TrimPrefix(tokens.URL, "http://")+`
	reverse_proxy `+strings.TrimPrefix(upstream.URL, "http://")+`
}
`)
	home, source := t.TempDir(), image(t)
	skopeo := func(arguments ...string) (string, error) {
		command := exec.Command("skopeo", append([]string{"--insecure-policy", "copy", "--retry-times", "0"}, arguments...)...)
		command.Env = append(os.Environ(), "HOME="+home, "XDG_RUNTIME_DIR="+home, "no_proxy=localhost")
		output, err := command.CombinedOutput()
		return string(output), err
	}
	for name, site := range map[string]string{"a token server": s.URL("/demo:1"), "a password alone": s.SecondURL("/demo:1")} {
		at := "docker:" + strings.TrimPrefix(site, "http:")
		t.Run("CLI-4 CLI-6: skopeo pushes and pulls with "+name, func(t *testing.T) {
			if output, err := skopeo("--dest-tls-verify=false", "--dest-creds", "alice:secret", "dir:"+source, at); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
			if output, err := skopeo("--src-tls-verify=false", "--src-creds", "alice:secret", at, "dir:"+t.TempDir()); err != nil {
				t.Fatalf("%v\n%s", err, output)
			}
		})
		for label, login := range map[string][]string{"a wrong password": {"--src-creds", "alice:x"}, "no password": {"--src-no-creds"}} {
			t.Run("CLI-4: skopeo is refused with "+name+" and "+label, func(t *testing.T) {
				if output, err := skopeo(append(login, "--src-tls-verify=false", at, "dir:"+t.TempDir())...); err == nil || !strings.Contains(output, "authentication required") && !strings.Contains(output, "invalid username/password") {
					t.Errorf("%v\n%s", err, output)
				}
			})
		}
	}
	t.Run("CLI-6: the token server is asked for the service of the challenge", func(t *testing.T) {
		if len(requests) == 0 {
			t.Fatal("no token was asked for")
		}
		close(requests)
		for request := range requests {
			if !strings.HasPrefix(request, "alice registry.example.com repository:demo:") {
				t.Errorf("%q", request)
			}
		}
	})
}
