//go:build realparts

package realparts

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// api is the resource that clients get tokens for, as provider.mjs has it.
const api = "https://api.example.com"

// provider is an authorization server that can be stopped, and started again
// with other keys at the same address.
type provider struct {
	t      *testing.T
	port   string
	issuer string
	keys   string // a file
	stop   func()
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	port := freePort(t)
	p := &provider{t: t, port: port, issuer: "http://localhost:" + port, keys: filepath.Join(t.TempDir(), "keys.json"), stop: func() {}}
	p.newKeys()
	return p
}

// newKeys makes a key that takes the place of the one before.
func (p *provider) newKeys() {
	p.t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	key, err := jwk.FromRaw(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		p.t.Fatal(err)
	}
	for name, value := range map[string]any{jwk.AlgorithmKey: jwa.ES256, jwk.KeyUsageKey: "sig", jwk.KeyIDKey: strings.ToValidUTF8(string(encode(id)), "")} {
		if err := key.Set(name, value); err != nil {
			p.t.Fatal(err)
		}
	}
	content, err := json.Marshal(map[string]any{"keys": []jwk.Key{key}})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(p.keys, content, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func encode(id []byte) []byte {
	const digits = "0123456789abcdef"
	var text []byte
	for _, b := range id {
		text = append(text, digits[b>>4], digits[b&15])
	}
	return text
}

// start runs the server, until the test ends or stop is called.
func (p *provider) start(environment ...string) {
	p.t.Helper()
	p.stop = run(p.t, "provider.mjs", append(environment, "PORT="+p.port, "KEYS="+p.keys, "ISSUER="+p.issuer)...)
}

// run starts a script and waits until it is ready.
func run(t *testing.T, script string, environment ...string) (stop func()) {
	t.Helper()
	command := exec.Command("node", script)
	command.Env = append(os.Environ(), environment...)
	return runProgram(t, command)
}

// runProgram starts a program and waits until it prints "ready".
func runProgram(t *testing.T, command *exec.Cmd) (stop func()) {
	t.Helper()
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stop, stderr := start(t, command)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go io.Copy(io.Discard, output)
			return stop
		}
	}
	_ = command.Wait()
	t.Fatalf("%s did not start: is `npm ci --prefix integration_test/realparts` done?\n%s", command, stderr.String())
	return nil
}

// start starts a program that ends with the test. It returns what stops it before that,
// and what it prints as errors, which can be read once it has ended.
func start(t *testing.T, command *exec.Cmd) (stop func(), stderr *strings.Builder) {
	t.Helper()
	stderr = new(strings.Builder)
	command.Stderr = stderr
	if err := command.Start(); err != nil {
		t.Fatalf("%s cannot be started: %v", command, err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	}
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", command, stderr)
		}
	})
	return stop, stderr
}

// bcrypted returns the hash of a password.
func bcrypted(t *testing.T, password string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// token asks the server for a token of a client that acts for itself.
func (p *provider) token(id, resource string, options ...func(*http.Request)) string {
	p.t.Helper()
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error_description"`
	}
	p.post("/token", id, url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}, "resource": {resource}}, &answer, options...)
	if answer.Token == "" {
		p.t.Fatalf("no token: %s", answer.Error)
	}
	return answer.Token
}

func (p *provider) post(path, id string, form url.Values, answer any, options ...func(*http.Request)) {
	p.t.Helper()
	r, err := http.NewRequest(http.MethodPost, p.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, id+"-secret-of-some-length")
	for _, option := range options {
		option(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	if answer != nil && json.Unmarshal(content, answer) != nil {
		p.t.Fatalf("%s: %s %s", path, response.Status, content)
	}
}

// script runs a client and decodes what it prints.
func script(t *testing.T, result any, arguments ...string) {
	t.Helper()
	command := exec.Command("node", arguments...)
	var stderr strings.Builder
	command.Stderr = &stderr
	output, err := command.Output()
	if err == nil {
		err = json.Unmarshal(output, result)
	}
	if err != nil {
		t.Fatalf("%q: %v\n%s\n%s", arguments, err, output, stderr.String())
	}
}

// guarded starts Caddy with one gate, given the lines of a bearer scheme.
func guarded(t *testing.T, lines string) *harness.Server {
	t.Helper()
	return harness.Start(t, `
{
	auth {
		bearer corp {
			audience `+api+`
`+lines+`
		}
	}
}
http://localhost:8080 {
	require_auth {
		scope orders:read
	}
	respond "hello {http.auth.client.id}"
}
`)
}
