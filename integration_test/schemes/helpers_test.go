// Package schemes asks a running Caddy about Basic, API keys, gates that take
// several schemes, cookies, and CORS in front of a gate. The names of the
// subtests begin with the rules that they hold the gate to.
package schemes

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// The challenges of schemes without lines of their own.
const (
	bearerChallenge = `Bearer realm="api"`
	basicChallenge  = `Basic realm="api", charset="UTF-8"`
	keyChallenge    = `ApiKey realm="api", in="header", name="X-API-Key"`
)

// hash is a bcrypt hash of the lowest cost.
func hash(t testing.TB, password string) string {
	t.Helper()
	hashed, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hashed)
}

// digest is an API key as it is configured.
func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// config is a Caddyfile with the given lines in the option `auth` and in the site.
func config(auth, site string) string {
	return "{\n\tauth {\n" + auth + "\n\t}\n}\nhttp://localhost:8080 {\n" + site + "\n}\n"
}

// authorization is a field with exactly this value.
func authorization(value string) harness.Option { return harness.Header("Authorization", value) }

// encoded is a Basic value with these bytes in standard base64.
func encoded(pair string) harness.Option {
	return authorization("Basic " + base64.StdEncoding.EncodeToString([]byte(pair)))
}

func key(value string) harness.Option    { return harness.Header("X-API-Key", value) }
func origin(value string) harness.Option { return harness.Header("Origin", value) }
func cookie(value string) harness.Option { return harness.Header("Cookie", value) }

// wantOK fails unless the request came through.
func wantOK(t *testing.T, r *harness.Response) {
	t.Helper()
	want(t, r, 200, "")
}

// want is Want on behalf of a subtest: a failure is that of the subtest alone.
func want(t *testing.T, r *harness.Response, status int, code string, challenges ...string) {
	t.Helper()
	if r.Status != status || fmt.Sprintf("%q", r.Challenges()) != fmt.Sprintf("%q", challenges) {
		t.Errorf("status %d with %q, want %d with %q\n%s", r.Status, r.Challenges(), status, challenges, r.Body)
		return
	}
	if code != "" && !strings.Contains(r.Body, `"code":"`+code+`"`) {
		t.Errorf("the code is not %s: %s", code, r.Body)
	}
}

// upstream runs a server and returns its address for reverse_proxy.
func upstream(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// answer sends the lines of a request over a connection of its own and returns
// every byte of the answer but the Date.
func answer(t *testing.T, s *harness.Server, lines ...string) string {
	t.Helper()
	connection := s.Dial()
	request := strings.Join(append(lines, "Host: "+s.Addr(), "Connection: close", "", ""), "\r\n")
	if _, err := io.WriteString(connection, request); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	return date.ReplaceAllString(string(all), "")
}

var date = regexp.MustCompile(`(?m)^Date: .*\r\n`)

// write replaces the content of a file in place.
func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// errorsOf counts the errors that a logger has recorded.
func errorsOf(s *harness.Server, logger string) int {
	count := 0
	for _, record := range s.Log(logger) {
		if record["level"] == "error" {
			count++
		}
	}
	return count
}

// noneIn fails if the text holds any of the secrets.
func noneIn(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if secret == "" || strings.Contains(text, secret) {
			t.Errorf("%s holds %q", what, secret)
		}
	}
}

// lineOf is what an error says about the line of a Caddyfile.
func lineOf(caddyfile, marker string) string {
	before, _, _ := strings.Cut(caddyfile, marker)
	return fmt.Sprintf("Caddyfile:%d", strings.Count(before, "\n")+1)
}

// Busy is a scheme of another plugin that is always unavailable. Its credential is in
// X-Busy.
type Busy struct{}

func init() { caddy.RegisterModule(new(Busy)) }

// CaddyModule returns the Caddy module information.
func (*Busy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: authn.Namespace + ".busy", New: func() caddy.Module { return new(Busy) }}
}

// UnmarshalCaddyfile accepts `busy [<name>]`.
func (*Busy) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

// Find looks at X-Busy.
func (*Busy) Find(r *authn.Request) (authn.Credential, error) {
	return authn.FindIn(r, []authn.Location{{Kind: authn.InHeader, Name: "X-Busy"}})
}

// Verify is always unavailable.
func (*Busy) Verify(context.Context, *authn.Request, authn.Credential) authn.Outcome {
	return authn.Unavailable(1500*time.Millisecond, errors.New("busy as ever"))
}

// Challenges are those of an unknown scheme.
func (*Busy) Challenges(send authn.ChallengeParams) []authn.Challenge {
	if !send.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{Scheme: "Busy", Realm: send.Realm}}
}
