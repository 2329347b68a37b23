package operations

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// What nobody may ever see in an answer, a metric or a log.
const (
	password = "correct-horse"
	// hash is that of password, at the lowest cost.
	hash   = "$2a$04$UF0wlFsJrWagK55jlDNQG.Vci3cZcH8kNwj4TLEglMlkxCjfeC3za"
	apiKey = "the-api-key-of-partner-a-0123456789"
)

// provider publishes one key and can be made to fail.
type provider struct {
	*httptest.Server
	key     *ecdsa.PrivateKey
	failing atomic.Bool
	fetches atomic.Int32
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{key: key}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		if p.failing.Load() {
			http.Error(w, "a message with some-secret-nobody-may-see", http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(p.document(t))
	}))
	t.Cleanup(p.Close)
	return p
}

// document is the JWK Set.
func (p *provider) document(t *testing.T) []byte {
	t.Helper()
	public, err := jwk.FromRaw(p.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if err := public.Set(jwk.KeyIDKey, "key-1"); err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(map[string]any{"keys": []jwk.Key{public}})
	if err != nil {
		t.Fatal(err)
	}
	return document
}

func (p *provider) token(t *testing.T, claims ...harness.Claims) string {
	t.Helper()
	return harness.Sign(t, jwa.ES256, p.key, map[string]any{"kid": "key-1"}, claims...)
}

// post sends JSON to the admin API.
func post(s *harness.Server, path, body string) *harness.Response {
	return s.Do(http.MethodPost, s.AdminURL(path), harness.Body("application/json", body))
}

// decode reads the answer and refuses members that the target does not have.
func decode[T any](t *testing.T, response *harness.Response) T {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(response.Body))
	decoder.DisallowUnknownFields()
	var answer T
	if err := decoder.Decode(&answer); err != nil || response.Status != http.StatusOK {
		t.Fatalf("status %d, %v\n%s", response.Status, err, response.Body)
	}
	return answer
}

// wantError fails the test unless the answer is an error of the API that says
// something.
func wantError(t *testing.T, response *harness.Response, status int, says string) {
	t.Helper()
	var answer struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal([]byte(response.Body), &answer)
	if response.Status != status || !strings.Contains(answer.Error, says) {
		t.Errorf("status %d, want %d and %q in\n%s", response.Status, status, says, response.Body)
	}
}
