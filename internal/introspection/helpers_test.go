package introspection

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

// clock is what the tests of time set by hand.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanoseconds.Store(time.Date(2001, 9, 9, 12, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time             { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) advance(past time.Duration) { c.nanoseconds.Add(int64(past)) }

// call is one request as the endpoint saw it.
type call struct {
	method string
	uri    string
	header http.Header
	form   url.Values
}

// endpoint is an introspection endpoint that answers as a test wants.
type endpoint struct {
	*httptest.Server
	mutex   sync.Mutex
	handler http.HandlerFunc
	log     []call
}

func newEndpoint(t testing.TB, handler http.HandlerFunc) *endpoint {
	t.Helper()
	e := &endpoint{handler: handler}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	r.PostForm = form
	e.mutex.Lock()
	e.log = append(e.log, call{r.Method, r.RequestURI, r.Header, form})
	handler := e.handler
	e.mutex.Unlock()
	handler(w, r)
}

// answer has the endpoint answer like this from now on.
func (e *endpoint) answer(handler http.HandlerFunc) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.handler = handler
}

// hold has the endpoint say that tokens are active, once it is released.
func (e *endpoint) hold(t *testing.T) (release func()) {
	t.Helper()
	hold := make(chan struct{})
	release = sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release) // before the server is closed, which waits for its handlers
	e.answer(func(w http.ResponseWriter, r *http.Request) {
		<-hold
		says(active)(w, r)
	})
	return release
}

func (e *endpoint) calls() []call {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.log
}

func says(body string) http.HandlerFunc { return status(http.StatusOK, body) }

func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

const (
	active   = `{"active":true,"sub":"alice"}`
	inactive = `{"active":false}`
)

// config is one that may be completed by a test.
func config(address string) Config {
	return Config{Endpoint: address, ClientID: "gateway", ClientSecret: "s3cret-of-the-gateway", Cache: time.Minute}
}

func newClientOf(t testing.TB, config Config) *Client {
	t.Helper()
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// anonymous is a client that is not known.
func anonymous() string { return "" }

// expect asks about a token and wants an answer.
func expect(t testing.TB, client *Client, token string, wantActive, wantFromCache bool) Answer {
	t.Helper()
	answer, err := client.Introspect(t.Context(), token, anonymous)
	if err != nil || answer.Active != wantActive || answer.FromCache != wantFromCache {
		t.Fatalf("%q: got %+v and error %v, want active %t, from cache %t", token, answer, err, wantActive, wantFromCache)
	}
	return answer
}

// expectUnavailable asks about a token and wants no answer.
func expectUnavailable(t testing.TB, client *Client, token string) *idp.UnavailableError {
	t.Helper()
	answer, err := client.Introspect(t.Context(), token, anonymous)
	unavailable, ok := errors.AsType[*idp.UnavailableError](err)
	if !ok || answer.Active || answer.Claims != nil {
		t.Fatalf("%q: got %+v and error %v, want an UnavailableError and nothing else", token, answer, err)
	}
	if wait := unavailable.RetryAfter; wait < time.Second || wait > maxPause || wait%time.Second != 0 {
		t.Errorf("%q: retry after %s", token, wait)
	}
	return unavailable
}

func expectCalls(t testing.TB, endpoint *endpoint, want int) {
	t.Helper()
	if got := len(endpoint.calls()); got != want {
		t.Fatalf("%d calls, want %d", got, want)
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, condition func() bool) {
	t.Helper()
	for range 5000 {
		if condition() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("did not happen within five seconds")
}

func newLog() (*zap.Logger, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	return zap.New(core), logs
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, _ := rsa.GenerateKey(rand.Reader, 2048)
	return key
})

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pemOf(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	data, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: data})
}

func toJSON(t testing.TB, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
