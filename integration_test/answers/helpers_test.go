package answers

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

func init() { keyset.SetFirstWait(time.Second) }

// The credentials besides [harness.Token].
const (
	password = "correct-horse-battery"
	apiKey   = "partner-key-5f0c2e9a77d14b63"
)

// The challenges of the tests.
const (
	bare    = `Bearer realm="api"`
	invalid = `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`
	expired = `Bearer realm="api", error="invalid_token", error_description="The access token is expired"`
	twice   = `Bearer realm="api", error="invalid_request", error_description="The request is malformed"`
	noScope = `Bearer realm="api", error="insufficient_scope", scope="admin", error_description="The access token lacks a required scope"`
	basic   = `Basic realm="api", charset="UTF-8"`
	keyed   = `ApiKey realm="api", in="header", name="X-API-Key"`
)

var passwordHash = func() string {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(hash)
}()

// schemes declares one scheme of each kind: corp, ops and partners.
var schemes = `
bearer corp {` + harness.BearerLines + `}
basic ops {
	user alice ` + passwordHash + ` {
		scope read
		role operator
	}
}
api_key partners {
	from header X-API-Key
	from query api_key
	from cookie api_key
	key partner-a sha256:` + digest(apiKey) + ` {
		scope read
	}
}
`

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// site is a Caddyfile with the schemes and a site on :8080.
func site(lines string) string { return configure("", schemes, lines) }

// bearerSite is a Caddyfile with the scheme corp alone and a site on :8080.
func bearerSite(lines string) string {
	return configure("", "bearer corp {"+harness.BearerLines+"}", lines)
}

func configure(global, auth, lines string) string {
	return "{\n" + global + "\nauth {\n" + auth + "\n}\n}\nhttp://localhost:8080 {\n" + lines + "\n}\n"
}

// key presents an API key.
func key(value string) harness.Option { return harness.Header("X-API-Key", value) }

// tokenWithScope presents a token with scopes.
func tokenWithScope(t *testing.T, scope string) harness.Option {
	t.Helper()
	return harness.Bearer(harness.Token(t, harness.Claims{"scope": scope}))
}

// want checks the status, the field lines of WWW-Authenticate in order and, in
// a denial, everything that all denials have in common.
func want(t *testing.T, r *harness.Response, status int, code string, challenges ...string) harness.Problem {
	t.Helper()
	if r.Status != status {
		t.Errorf("status %d, want %d\n%s", r.Status, status, r.Body)
	}
	if !slices.Equal(r.Challenges(), challenges) {
		t.Errorf("challenges\n got %q\nwant %q", r.Challenges(), challenges)
	}
	if code == "" {
		return harness.Problem{}
	}
	field(t, r, "Cache-Control", "no-store")
	field(t, r, "X-Content-Type-Options", "nosniff")
	field(t, r, "Proxy-Authenticate")
	field(t, r, "Content-Type", "application/problem+json")
	field(t, r, "Content-Length", fmt.Sprint(len(r.Body)))
	p := problem(t, r)
	if p.Code != code {
		t.Errorf("code %q, want %q", p.Code, code)
	}
	if p.Type != "about:blank" || p.Title != http.StatusText(status) || p.Status != status || p.Detail == "" {
		t.Errorf("problem %+v", p)
	}
	if p.TraceID == "" {
		t.Error("the body has no trace id")
	}
	field(t, r, "X-Trace-Id", p.TraceID)
	return p
}

// field checks the lines of a header field.
func field(t *testing.T, r *harness.Response, name string, values ...string) {
	t.Helper()
	if got := r.Header.Values(name); !slices.Equal(got, values) {
		t.Errorf("%s: %q, want %q", name, got, values)
	}
}

// problem decodes a body and refuses members that are not known.
func problem(t *testing.T, r *harness.Response) harness.Problem {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(r.Body))
	decoder.DisallowUnknownFields()
	var p harness.Problem
	if err := decoder.Decode(&p); err != nil {
		t.Fatalf("the body is no problem document: %v\n%q", err, r.Body)
	}
	return p
}

// wantPassed checks that the request came through and what came back.
func wantPassed(t *testing.T, r *harness.Response, body string) {
	t.Helper()
	if r.Status != http.StatusOK || r.Body != body {
		t.Errorf("status %d, body %q, want 200 and %q", r.Status, r.Body, body)
	}
}

// backend is an upstream that remembers what it was asked.
type backend struct {
	mutex    sync.Mutex
	arrivals []arrival
	addr     string
}

// arrival is a request as it came to a backend.
type arrival struct {
	*http.Request
	body string
}

// serve runs a backend; answer may be nil.
func serve(t *testing.T, answer http.HandlerFunc) *backend {
	t.Helper()
	b := new(backend)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		b.mutex.Lock()
		b.arrivals = append(b.arrivals, arrival{r, string(body)})
		b.mutex.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(server.Close)
	b.addr = server.Listener.Addr().String()
	return b
}

// count returns how many requests came.
func (b *backend) count() int {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return len(b.arrivals)
}

// last returns the request that came last.
func (b *backend) last(t *testing.T) arrival {
	t.Helper()
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if len(b.arrivals) == 0 {
		t.Fatal("nothing came to the upstream")
	}
	return b.arrivals[len(b.arrivals)-1]
}
