package operations

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

var (
	block = regexp.MustCompile("(?ms)^```(caddyfile|console)\n(.*?)^```$")
	// curl is what the examples use of it.
	curl = regexp.MustCompile(`^curl localhost:2019(\S+)(?: -X (\w+))?(?: -H '([\w-]+): ([^']+)')?(?: -d '([^']*)')?$`)
)

// TestDocs does what docs/operations.md shows, and compares what comes of it. A
// … stands for anything.
func TestDocs(t *testing.T) {
	content, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	p, folder := harness.StartProvider(t), t.TempDir()
	blocks := block.FindAllStringSubmatch(string(content), -1)
	caddyfile := blocks[0][2]
	write := func(name string, content []byte, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(folder, name), content, mode); err != nil {
			t.Fatal(err)
		}
	}
	key, err := x509.MarshalECPrivateKey(p.Key(harness.DefaultKeyID))
	if err != nil {
		t.Fatal(err)
	}
	write("Caddyfile", []byte(caddyfile), 0o600)
	write("keys.json", p.Document(), 0o600)
	write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key}), 0o600)
	const published = "http://localhost:9000/jwks"
	s := harness.StartWithAdmin(t, strings.ReplaceAll(caddyfile, published, p.KeySet()))
	harness.Eventually(t, "the keys", func() bool { return value(t, s, "caddy_auth_keys_age_seconds") > 0 })

	ran := 0
	for _, found := range blocks[1:] {
		if found[1] != "console" {
			continue
		}
		for _, example := range strings.Split("\n"+found[2], "\n$ ")[1:] {
			command, want, _ := strings.Cut(example, "\n")
			ran++
			t.Run(command, func(t *testing.T) {
				var got string
				const written = "localhost:8080"
				if request := curl.FindStringSubmatch(strings.ReplaceAll(command, written, s.Addr())); request != nil {
					got = send(t, s, request)
				} else {
					got = run(t, folder, command)
				}
				got = strings.ReplaceAll(strings.ReplaceAll(got, p.KeySet(), published), s.Addr(), written)
				if !pattern(want).MatchString(strings.TrimSpace(got)) {
					t.Errorf("got\n%s", got)
				}
			})
		}
	}
	if ran < 6 {
		t.Errorf("%d examples: were they found?", ran)
	}
}

// send does what a curl command does.
func send(t *testing.T, s *harness.Server, command []string) string {
	t.Helper()
	method, options := http.MethodGet, []harness.Option{}
	if command[5] != "" {
		method, options = http.MethodPost, append(options, harness.Body(command[4], command[5]))
	}
	if command[2] != "" {
		method = command[2]
	}
	response := s.Do(method, s.AdminURL(command[1]), options...)
	var indented bytes.Buffer
	if json.Indent(&indented, []byte(response.Body), "", "  ") != nil {
		return response.Body
	}
	return indented.String()
}

// run runs a command in a shell.
func run(t *testing.T, folder, command string) string {
	t.Helper()
	shell := exec.Command("sh", "-c", command)
	shell.Dir = folder
	shell.Env = append(os.Environ(), "HOME="+folder, "XDG_CONFIG_HOME="+folder, "XDG_DATA_HOME="+folder)
	var failure bytes.Buffer
	shell.Stderr = &failure
	output, err := shell.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, failure.String())
	}
	return string(output)
}

// pattern matches a text in which … stands for anything.
func pattern(text string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(strings.TrimSpace(text))
	return regexp.MustCompile("(?s)^" + strings.ReplaceAll(quoted, "…", ".+?") + "$")
}
